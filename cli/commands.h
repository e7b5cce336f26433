// What each command does once its words are understood.
#ifndef LOCKSTEP_CLI_COMMANDS_H_
#define LOCKSTEP_CLI_COMMANDS_H_

#include <grpcpp/client_context.h>

#include <iosfwd>
#include <string>

#include "absl/time/time.h"
#include "cli/failure.h"
#include "cli/source_lines.h"
#include "lockstep/v1/coordinator.pb.h"

namespace lockstep::cli {

struct Settings {
  std::string endpoint;
  Format format = Format::kTable;
  // For the whole command; what a server takes as its time is no longer than this.
  absl::Duration timeout;
};

// Data goes to `out`, errors to `err`. Each command connects by itself, once.
class Commands {
 public:
  Commands(Settings settings, std::ostream* out, std::ostream* err)
      : settings_(std::move(settings)), out_(out), err_(err) {}

  // `source` is where the statements came from, to be named where one fails.
  Exit Execute(v1::ExecuteRequest request, const SourceLines& source = {});
  Exit Query(v1::QueryRequest request);
  Exit ClusterStatus();
  Exit GetTransaction(const v1::GetTransactionRequest& request);
  Exit TableVersion(const std::string& database, const std::string& table);
  // Of a coordinator or a participant, whichever listens. With `alive`, a participant that is
  // RECOVERING is good enough.
  Exit Health(bool alive);

 private:
  template <typename Service, typename Request, typename Response>
  Exit Call(grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
            const Request& request, CallKind kind, Response* response);
  Exit Fail(const grpc::Status& status, CallKind kind);
  bool PrintedAsJson(const google::protobuf::Message& message);

  const Settings settings_;
  std::ostream* const out_;
  std::ostream* const err_;
  SourceLines source_;
  std::string request_id_;
};

}  // namespace lockstep::cli

#endif  // LOCKSTEP_CLI_COMMANDS_H_
