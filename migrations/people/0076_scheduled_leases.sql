-- Another node takes over sooner than the writer may change again what is being sent: sent twice it is there once, changed meanwhile it is not.
ALTER TABLE scheduled ADD again_at timestamptz; -- when another node takes over what is taken
CREATE INDEX scheduled_again ON scheduled (again_at) WHERE taken;
