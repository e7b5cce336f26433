// What both gRPC edges need: from the answers of calls.h to messages.
#ifndef LOCKSTEP_PARTICIPANT_EDGE_H_
#define LOCKSTEP_PARTICIPANT_EDGE_H_

#include <utility>

#include "common/rpc/convert.h"
#include "lockstep/v1/participant.pb.h"
#include "lockstep/v1/two_phase_commit.pb.h"
#include "participant/calls.h"
#include "participant/node_report.h"

namespace lockstep::participant {

void ToProto(const NodeReport& report, v1::NodeReport* message);
// Copies: the votes are kept for a repeated Prepare.
void ToProto(const BranchVote& vote, v1::BranchVote* message);

// The columns and rows of a response that has both.
template <typename Response>
void TakeRows(QueryRows&& rows, Response* response) {
  for (Column& column : rows.columns) rpc::ToProto(std::move(column), response->add_columns());
  for (Row& row : rows.rows) rpc::ToProto(std::move(row), response->add_rows());
}

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_EDGE_H_
