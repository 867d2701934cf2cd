"""The sandbox as an HTTP server: routes, lists, refusals, as documented."""
