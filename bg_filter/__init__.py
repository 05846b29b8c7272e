"""Turn photographs (LSUN LMDBs, image folders) into a database of backgrounds without people."""
