"""Memory: what each engine offers to save it, and what that costs in latency.

Read downwards: `settings` is the table of what engines offer, `files` writes a model file anew where a setting needs
that, `measuring` puts each setting through the pipeline that measures everything else. `workers` starts the package's
own worker for what that pipeline does not do: several sessions in one process (`cascade`, whose ways are in `sharing`)
and several frames in one inference (`batches`); `worker` and `sharing` run on the device. `rows` is what comes back and
which difference is one, `report` the text, Markdown and JSON of it, `commands` is `harness memory`.
"""
