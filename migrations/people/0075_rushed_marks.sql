-- How far people have read channels, where more told it at once than was carried out: many in one row, which some node carries out a little
-- later. Carried out twice, it is as once.
CREATE TABLE rushed_marks (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    due_at timestamptz NOT NULL DEFAULT now(), -- when some node takes it, or takes it over
    chats  bigint[] NOT NULL,
    users  bigint[] NOT NULL,
    seqs   bigint[] NOT NULL
);
CREATE INDEX rushed_marks_due ON rushed_marks (due_at);
