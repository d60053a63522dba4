-- One's own reaction is looked up message by message. Else the planner may gather all of somebody's reactions in the chat first, and read
-- for it everybody's: it takes the page to be long, and cannot know how many reactions a chat has.
ALTER FUNCTION messages_around(bigint, bigint, bigint, bigint, bigint, bigint) SET enable_material = off;
ALTER FUNCTION changed_messages(bigint[], bigint[], bigint[], bigint, integer, bigint, bigint) SET enable_material = off;
ALTER FUNCTION last_messages(bigint[], bigint, integer, integer, bigint, bigint) SET enable_material = off;
