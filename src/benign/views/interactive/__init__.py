"""Pictures that answer the pointer, made by Bokeh; the extra `report` brings it."""
