"""The report over HTTP; `serve.serve` is the way in."""
