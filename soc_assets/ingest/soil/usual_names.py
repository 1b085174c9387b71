"""What the columns of soil tables are usually called: in LUCAS, in the combined file and elsewhere."""

USUAL_NAMES = {
    "id": ("pointid", "point_id", "id", "sample_id", "profile_id", "site_id", "lucas_id"),
    "longitude": ("th_long", "gps_long", "longitude", "long", "lon", "lng"),
    "latitude": ("th_lat", "gps_lat", "latitude", "lat"),
    "organic_carbon": ("oc", "organic_carbon", "soc", "corg"),
    "survey_date": ("survey_date", "surveydate", "surv_date", "date", "sampling_date", "sample_date"),
    "year": ("year", "survey_year", "sampling_year"),
    "source": ("source",),
    "depth": ("depth", "depth_cm", "depth_range", "depth_interval", "tiefe"),
    "depth_upper": ("depth_upper", "upper_depth", "depth_from", "depth_top", "tiefe_von", "top", "von", "hzdept_r"),
    "depth_lower": ("depth_lower", "lower_depth", "depth_to", "depth_bottom", "tiefe_bis", "bottom", "bis", "hzdepb_r"),
    "unit": ("oc_unit", "unit_oc", "unit", "units", "einheit"),
    "east_west": (
        *("gps_ew", "th_ew", "ew", "e_w", "east_west", "lon_ew", "long_ew", "longitude_ew", "lon_dir", "long_dir"),
        *("lon_direction", "longitude_direction", "lon_hemisphere", "longitude_hemisphere", "long_hemisphere"),
        *("longdir", "londir"),
    ),
    "north_south": (
        *("gps_ns", "th_ns", "ns", "n_s", "north_south", "lat_ns", "latitude_ns", "lat_dir", "latitude_direction"),
        *("lat_direction", "lat_hemisphere", "latitude_hemisphere", "latdir"),
    ),
}
"""What each column is called, most specific first, in lower case with _ for everything but letters and digits."""


NEEDED = ("longitude", "latitude", "organic_carbon")
"""Without these columns a table is of no use; points of a layer stand for longitude and latitude."""


IN_GRAMS = ("oc", "organic_carbon")
"""Names of carbon that mean g/kg where no unit is stated; under the other names it may as well be per cent."""


CARBON_NAMES = (
    *(*IN_GRAMS, "soc", "toc", "corg", "c_org", "org_c", "orgc", "organic_c", "c_organic", "carbon_organic"),
    *("soil_organic_carbon", "total_organic_carbon", "soil_oc", "organischer_kohlenstoff", "organic_carbon_content"),
    *("carbone_organique", "carbono_organico", "carbonio_organico", "węgiel_organiczny", "soc_content", "oc_content"),
)


MATTER_NAMES = ("organic_matter", "soil_organic_matter", "som", "om", "humus", "humusgehalt", "organische_substanz")


TOTAL_NAMES = ("tc", "total_carbon", "total_c", "c_total", "ctot", "c_tot", "tot_c", "carbon", "c", "gesamtkohlenstoff")
