"""INT8, INT4 and FP16: one recipe, a file of each format; and the search for what must stay in float."""
