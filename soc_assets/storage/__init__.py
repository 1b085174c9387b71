"""Files on a local disk or in object storage, written so that no reader ever sees a partial file."""
