#include "participant/edge.h"

#include "common/rpc/error_details.h"

namespace lockstep::participant {
namespace {

void ToMessage(const StatementResult& result, v1::StatementResult* message) {
  for (const Column& column : result.columns) {
    v1::Column* its = message->add_columns();
    its->set_name(column.name);
    its->set_declared_type(column.declared_type);
  }
  for (const Row& row : result.rows) {
    v1::Row* its = message->add_rows();
    for (const Value& value : row) rpc::ToProto(value, its->add_values());
  }
  message->set_rows_affected(static_cast<uint32_t>(result.rows_affected));
  message->set_last_insert_rowid(result.last_insert_rowid);
}

}  // namespace

void ToProto(const NodeReport& report, v1::NodeReport* message) {
  message->set_boot_id(report.boot_id);
  message->set_applied_round(report.applied.value());
  message->set_durable_round(report.durable.value());
  if (report.held) {
    v1::PreparedRound* prepared = message->mutable_prepared();
    prepared->set_round(report.held->round.value());
    prepared->set_in_doubt(report.held->in_doubt);
    prepared->set_has_record(report.held->has_record);
    rpc::ToProto(report.held->since, prepared->mutable_since());
  }
  message->set_state(report.ready ? v1::STATE_READY : v1::STATE_RECOVERING);
  message->set_term(report.term);
  message->set_tombstone(report.tombstone.value());
  message->set_coordinator_boot_id(report.coordinator);
}

void ToProto(const BranchVote& vote, v1::BranchVote* message) {
  message->set_vote(static_cast<v1::Vote>(vote.kind));
  message->set_digest(vote.digest);
  if (vote.error) rpc::ToProto(*vote.error, message->mutable_error());
  for (const BranchResult& result : vote.results) {
    v1::BranchResult* its = message->add_results();
    its->set_operation(static_cast<uint32_t>(result.operation));
    for (const StatementResult& statement : result.statements) {
      ToMessage(statement, its->add_statements());
    }
  }
  rpc::ToProto(vote.execution_time, message->mutable_execution_time());
}

}  // namespace lockstep::participant
