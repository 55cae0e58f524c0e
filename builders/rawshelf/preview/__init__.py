"""Pictures of a conversion, in its card or as a page to browse.

From the bottom up: `style` (fonts and colours), `overlays` (marks on one decoded image), `charts`
and `sheets` (composition), `reading` (rows of a conversion), `choice` (which rows to show),
`pictures` (what a dataset declares), `publication` (the command). For the page: `thumbnails` (small
copies), `album` (what a dataset declares), `page_data` (what its script reads), `page` (the file).
"""
