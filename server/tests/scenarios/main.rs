//! What people do and what must then happen, against real nodes, Postgres, Redis and sockets. One file for each scenario.
#![expect(unreachable_pub, reason = "the harness is a module of the tests")]

#[path = "../support/harness.rs"]
mod support;

mod a_commit_without_an_answer;
mod a_connection_to_the_database_hangs;
mod a_cut_line_resumes_on_the_other_node;
mod a_flood_of_sign_ins_does_not_stop_the_chat;
mod a_message_is_refused_while_another_edits;
mod a_neighbour_holds_silent_sockets;
mod a_node_drains;
mod a_node_is_killed_in_mid_traffic;
mod a_node_joins_a_busy_one;
mod a_node_missed_hundreds_of_changes;
mod a_public_channel_is_joined_by_its_handle;
mod a_removed_member_hears_no_more;
mod a_request_that_is_given_up_leaves_nothing_open;
mod a_revoked_device_is_silenced_everywhere;
mod a_slow_reader_is_let_go;
mod a_slow_reader_reads_steadily;
mod a_stuck_reader_costs_little_and_is_let_go;
mod accounts;
mod an_administrator_at_the_machine;
mod an_offline_device_learns_what_changed;
mod answers_are_bounded_in_bytes;
mod coturn_instead;
mod everybody_ends_equal_whatever_stops;
mod everybody_joins_one_channel;
mod history_is_read_in_both_directions;
mod http_is_bounded_and_polite;
mod limits_are_honest;
mod malformed_frames_are_answered;
mod one_account_asks_for_much_at_once;
mod one_account_resumes_on_many_sockets;
mod postgres_is_killed_in_mid_traffic;
mod presence_ends_with_the_node;
mod random_interleavings_end_equal;
mod read_marks_reach_everybody;
mod redis_dies_in_mid_traffic;
mod relays_are_handed_out;
mod rights;
mod somebody_was_away_for_long;
mod strangers_are_reached_sparingly;
mod strangers_do_their_worst;
mod the_answer_is_lost;
mod the_database_lost_commits;
mod the_database_takes_no_changes;
mod the_disk_of_the_database_is_full;
mod the_same_client_id_many_times;
mod two_nodes_carry_one_chat;
mod typing_and_presence_cross_nodes;
mod what_an_operator_sees;
mod who_may_open_a_socket;
