"""Writers of fake raw releases: full size, of real annotations, and with named defects."""
