"""One HTML file about a directory of results: opens offline, prints, asks nobody for anything.

`page.report` gathers (`gather`), words (`words`), draws (`stills`, and `views.interactive` where there
is Bokeh) and renders one template of Jinja2, which escapes whatever it is given.
"""
