"""Pictures of a conversion: overlays, sheets, charts, and how they get into its card.

From the bottom up: `style` (fonts and colours), `overlays` (marks on one decoded image), `charts`
and `sheets` (composition), `reading` (rows of a conversion), `choice` (which rows to show),
`pictures` (what a dataset declares), `publication` (the command).
"""
