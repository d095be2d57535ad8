-- What people call a table. Null where it was put before it could have a label: it is called by its id.
ALTER TABLE assignment_pipeline.table_inventory ADD COLUMN label text;
