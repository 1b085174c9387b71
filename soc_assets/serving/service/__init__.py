"""The service for points (`soc serve`): places in, organic carbon with its interval out, over HTTP."""
