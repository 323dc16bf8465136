UPDATE visits SET pending = TRUE
