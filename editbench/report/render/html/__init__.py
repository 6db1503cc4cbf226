"""report.html: the report's numbers and the pictures behind them on one page that needs no network and no server.

`page.write` is the way in. The numbers are those of report.json; charts are SVG drawn here; the gallery is drawn in the browser
from a JSON block in the page.
"""
