-- How calls sounded and whether people were satisfied: what both sides measured, their ratings, and sums of both.
--
-- Laid out like the rest: what belongs to a call leads with call_id. No address stands here.

-- What one side of a call measured, in milliseconds times the unit of what is summed up. A part is one stretch of
-- reports over one node: its row holds the whole part so far, so that writing it again does no harm, and a side that
-- moves to another node begins a new one. A side is the sum of its parts.
CREATE TABLE call_quality (
    call_id     uuid NOT NULL,
    user_id     bigint NOT NULL,
    part        bigint NOT NULL,              -- random
    covered_ms  bigint NOT NULL,              -- the time that the reports stand for
    reports     integer NOT NULL,
    mos         double precision NOT NULL,    -- 1 to 4.5
    poor_ms     bigint NOT NULL,              -- the time with a MOS below 3.1
    worst_mos   double precision,
    round_trip  double precision NOT NULL,    -- ms
    jitter      double precision NOT NULL,    -- ms
    lost        double precision NOT NULL,    -- share, 0 to 1
    lost_there  double precision NOT NULL,    -- share
    concealed   double precision NOT NULL,    -- share
    bits_in     double precision NOT NULL,    -- bits a second
    bits_out    double precision NOT NULL,    -- bits a second
    relayed_ms  bigint NOT NULL,              -- the time over a relay
    path        text NOT NULL,                -- the last that was reported, like all below
    network     text NOT NULL,
    local_end   text NOT NULL,                -- type of candidate
    remote_end  text NOT NULL,
    codec       text NOT NULL,
    relay       text NOT NULL,                -- empty: none, or none that the node knows
    region      text NOT NULL,
    reported_at timestamptz NOT NULL,
    PRIMARY KEY (call_id, user_id, part)
) WITH (fillfactor = 85);

CREATE TABLE call_ratings (
    call_id  uuid NOT NULL,
    user_id  bigint NOT NULL,
    stars    smallint NOT NULL CHECK (stars BETWEEN 1 AND 5),
    issues   text[] NOT NULL,
    rated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (call_id, user_id)
);

-- A season is 14.5 million calls: no report reads them one by one. Every half hour is summed up once it is over. Half an
-- hour, because the days of Tehran (UTC+03:30) begin at half past.
CREATE INDEX calls_by_end ON calls (ended_at);

CREATE TABLE call_slots (
    slot      timestamptz PRIMARY KEY,        -- when the half hour begins
    closed_at timestamptz NOT NULL DEFAULT now(),
    rolled_at timestamptz                     -- null: to be summed up
);
-- The half hours that wait to be summed up are few among many.
CREATE INDEX call_slots_open ON call_slots (slot) WHERE rolled_at IS NULL;

-- Half hours that have changed since: a rating the next day, a call recorded late. Rows are only added and taken away, so
-- that whoever marks never waits for whoever sums up.
CREATE TABLE call_stale (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slot timestamptz NOT NULL
);

CREATE TABLE call_rollup (
    slot          timestamptz NOT NULL,
    dimension     text NOT NULL,              -- day (all calls), reason, region, relay, network, path
    value         text NOT NULL,
    calls         bigint NOT NULL,            -- by region, relay, network and path: sides of calls
    answered      bigint NOT NULL,
    connected     bigint NOT NULL,
    scored        bigint NOT NULL,            -- sides with a MOS
    mos_sum       double precision NOT NULL,
    poor          bigint NOT NULL,            -- sides with a MOS below 3.1
    rated         bigint NOT NULL,
    satisfied     bigint NOT NULL,            -- 4 or 5 stars
    stars         bigint NOT NULL,
    setup_steps   smallint[] NOT NULL,        -- step n: from 0.01 · 1.1^n seconds on
    setup_counts  bigint[] NOT NULL,
    PRIMARY KEY (slot, dimension, value)
);

CREATE FUNCTION call_slot(moment timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date_bin('30 minutes', moment, '2000-01-01 00:00:00+00');

-- Sums up the calls that ended in [from_time, to_time), from what was written about each of them.
CREATE FUNCTION call_sums(from_time timestamptz, to_time timestamptz) RETURNS TABLE (
    dimension text, value text, calls bigint, answered bigint, connected bigint, scored bigint, mos_sum double precision,
    poor bigint, rated bigint, satisfied bigint, stars bigint, setup_steps smallint[], setup_counts bigint[]
)
LANGUAGE sql STABLE
AS $$
WITH ended AS MATERIALIZED (
    SELECT c.call_id, c.caller_id, c.callee_id, c.reason, c.answered_at IS NOT NULL AS answered,
           c.answered_at IS NOT NULL AND c.connected_at IS NOT NULL AS connected,
           extract(epoch FROM c.connected_at - c.answered_at)::double precision AS setup_s
    FROM calls c WHERE c.ended_at >= from_time AND c.ended_at < to_time
),
measured AS (
    SELECT q.call_id, q.user_id, sum(q.mos) / nullif(sum(q.covered_ms), 0) AS mos,
           (array_agg(q.path ORDER BY q.reported_at DESC))[1] AS path,
           (array_agg(q.network ORDER BY q.reported_at DESC))[1] AS network,
           (array_agg(q.relay ORDER BY q.reported_at DESC))[1] AS relay,
           (array_agg(q.region ORDER BY q.reported_at DESC))[1] AS region
    FROM ended e JOIN call_quality q ON q.call_id = e.call_id GROUP BY q.call_id, q.user_id
),
sides AS (
    SELECT p.side, e.reason, e.answered, e.connected, m.mos, r.stars,
           CASE WHEN e.connected
                THEN least(119, greatest(0, floor(ln(greatest(e.setup_s, 0.01) / 0.01) / ln(1.1::double precision))))::smallint
           END AS step,
           coalesce(m.path, '') AS path, coalesce(m.network, '') AS network,
           coalesce(m.relay, '') AS relay, coalesce(m.region, '') AS region
    FROM ended e
    CROSS JOIN LATERAL (VALUES (0, e.caller_id), (1, e.callee_id)) AS p (side, user_id)
    LEFT JOIN measured m ON m.call_id = e.call_id AND m.user_id = p.user_id
    LEFT JOIN call_ratings r ON r.call_id = e.call_id AND r.user_id = p.user_id
),
-- One pass for all dimensions. The mask has a bit for each column that a group does not have.
grouped AS (
    SELECT GROUPING(s.reason, s.region, s.relay, s.network, s.path) AS mask,
           s.reason, s.region, s.relay, s.network, s.path, s.step,
           count(*) AS sides, count(*) FILTER (WHERE s.answered) AS answered, count(*) FILTER (WHERE s.connected) AS connected,
           count(s.mos) AS scored, coalesce(sum(s.mos), 0) AS mos_sum, count(*) FILTER (WHERE s.mos < 3.1) AS poor,
           count(s.stars) AS rated, count(*) FILTER (WHERE s.stars >= 4) AS satisfied, coalesce(sum(s.stars), 0) AS stars
    FROM sides s
    GROUP BY GROUPING SETS ((s.step), (s.step, s.reason), (s.step, s.region), (s.step, s.relay), (s.step, s.network), (s.step, s.path))
),
named AS (
    SELECT g.*,
           CASE g.mask WHEN 31 THEN 'day' WHEN 15 THEN 'reason' WHEN 23 THEN 'region' WHEN 27 THEN 'relay'
                       WHEN 29 THEN 'network' ELSE 'path' END AS dimension,
           CASE g.mask WHEN 31 THEN '' WHEN 15 THEN g.reason WHEN 23 THEN g.region WHEN 27 THEN g.relay
                       WHEN 29 THEN g.network ELSE g.path END AS value,
           -- By day and by reason a call counts once; by what its two sides may differ in, each side counts.
           CASE WHEN g.mask IN (31, 15) THEN 2 ELSE 1 END AS sides_each
    FROM grouped g
)
SELECT n.dimension, n.value, (sum(n.sides) / min(n.sides_each))::bigint, (sum(n.answered) / min(n.sides_each))::bigint,
       (sum(n.connected) / min(n.sides_each))::bigint, sum(n.scored)::bigint, sum(n.mos_sum), sum(n.poor)::bigint,
       sum(n.rated)::bigint, sum(n.satisfied)::bigint, sum(n.stars)::bigint,
       coalesce(array_agg(n.step ORDER BY n.step) FILTER (WHERE n.step IS NOT NULL), '{}'),
       coalesce(array_agg(n.connected / n.sides_each ORDER BY n.step) FILTER (WHERE n.step IS NOT NULL), '{}')
FROM named n GROUP BY n.dimension, n.value
$$;

-- A call that is recorded after its half hour was summed up.
CREATE FUNCTION mark_late_calls() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO call_stale (slot)
    SELECT s.slot FROM (SELECT DISTINCT call_slot(f.ended_at) AS slot FROM fresh f) d JOIN call_slots s ON s.slot = d.slot;
    RETURN NULL;
END
$$;
CREATE TRIGGER late_calls AFTER INSERT ON calls REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION mark_late_calls();

-- Writes parts, whole as they are now: a batch may come again.
CREATE FUNCTION write_call_quality(in_parts jsonb) RETURNS void LANGUAGE sql AS $$
WITH given AS MATERIALIZED (
    SELECT * FROM jsonb_populate_recordset(NULL::call_quality, in_parts)
),
late AS (
    INSERT INTO call_stale (slot)
    SELECT DISTINCT s.slot FROM given g JOIN calls c ON c.call_id = g.call_id JOIN call_slots s ON s.slot = call_slot(c.ended_at)
)
INSERT INTO call_quality AS q SELECT * FROM given g ORDER BY g.call_id, g.user_id, g.part
ON CONFLICT (call_id, user_id, part) DO UPDATE SET
    covered_ms = excluded.covered_ms, reports = excluded.reports, mos = excluded.mos, poor_ms = excluded.poor_ms,
    worst_mos = excluded.worst_mos, round_trip = excluded.round_trip, jitter = excluded.jitter, lost = excluded.lost,
    lost_there = excluded.lost_there, concealed = excluded.concealed, bits_in = excluded.bits_in,
    bits_out = excluded.bits_out, relayed_ms = excluded.relayed_ms, path = excluded.path, network = excluded.network,
    local_end = excluded.local_end, remote_end = excluded.remote_end, codec = excluded.codec, relay = excluded.relay,
    region = excluded.region, reported_at = excluded.reported_at
-- The answer to a commit may be lost, and the same part come again in an older state: it only grows.
WHERE q.reports <= excluded.reports
$$;
