"""QCoDeS drivers, one file per model family; each plays one or more roles of `mtjlab.roles`."""
