// A cluster of real processes on loopback: the programs as they are built, each with its data on
// disk, to be killed, frozen and started again.
#ifndef LOCKSTEP_TESTS_SUPPORT_PROCESS_CLUSTER_H_
#define LOCKSTEP_TESTS_SUPPORT_PROCESS_CLUSTER_H_

#include <grpcpp/grpcpp.h>
#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lockstep/v1/coordinator.grpc.pb.h"
#include "lockstep/v1/participant.grpc.pb.h"
#include "lockstep/v1/two_phase_commit.grpc.pb.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/free_port.h"
#include "tests/support/shim_control.h"

namespace lockstep::testing_support {

// Repeats `condition`, which waits by itself for a moment (a call with a deadline does), until it
// holds or `limit` is over. Returns whether it held.
bool Eventually(absl::Duration limit, const std::function<bool()>& condition);

// One program that runs, or ran. The thread that starts it must outlive it: with that thread the
// kernel ends the program too, so that a test that dies leaves nothing behind.
class Process {
 public:
  // Output is appended to `log`. `environment` is added to that of the test, NAME=VALUE each.
  Process(std::vector<std::string> command, std::filesystem::path log,
          std::vector<std::string> environment = {});
  // Kills it.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Gives the program "NAME=value" beside the environment of the test, from its next start on.
  void AddVariable(std::string variable) { environment_.push_back(std::move(variable)); }
  // Requires !started().
  void Start();
  // Whether Start was called and none of the below ended it; it may have ended by itself.
  bool started() const { return pid_ > 0; }
  // Requires started().
  pid_t pid() const { return pid_; }
  // Looks whether it ended by itself; then tells how, with the end of its log.
  std::optional<std::string> Died();
  // Waits for its end by itself; the exit status, or nullopt when `limit` is over.
  std::optional<int> WaitForExit(absl::Duration limit);

  void Kill();       // as kill -9 does; returns when it is gone
  void Freeze();     // SIGSTOP
  void Thaw();       // SIGCONT
  void Terminate();  // SIGTERM; WaitForExit tells the rest

  std::string LogTail(size_t bytes = 4000) const;

 private:
  const std::vector<std::string> command_;
  const std::filesystem::path log_;
  std::vector<std::string> environment_;
  pid_t pid_ = 0;
};

struct NodeSpec {
  std::string node_id;
  std::string database;
  bool master = true;
};

// bank-1 (master), bank-2, bank-3, stock-1, orders-1.
std::vector<NodeSpec> FiveNodes();

struct ProcessClusterOptions {
  // Every connection between clients, coordinator and participants goes through a FaultProxy.
  bool has_proxy = false;
  // The wall clock and the syncs of each process can be changed; not with sanitizers, which have to
  // be the first library of a program.
  bool has_shims = false;
  // Programs of the objects that are shipped, but a Failpoint ends them.
  bool has_failpoints = false;
};

class ProcessCluster {
 public:
  static constexpr char kClusterId[] = "test";

  // Makes a directory for the data; starts nothing. The directory goes with the cluster, unless a
  // test of this process failed: then its path is printed.
  explicit ProcessCluster(std::vector<NodeSpec> nodes = FiveNodes(),
                          ProcessClusterOptions options = {});
  ~ProcessCluster();

  size_t size() const { return nodes_.size(); }
  const NodeSpec& node(size_t index) const { return nodes_[index]; }
  size_t IndexOf(const std::string& node_id) const;
  Process& coordinator() { return *coordinator_; }
  Process& participant(size_t index) { return *participants_[index]; }
  // Participants first, then the coordinator.
  Process& process(size_t index) {
    return index < participants_.size() ? *participants_[index] : *coordinator_;
  }
  std::string process_name(size_t index) const;
  const std::filesystem::path& directory() const { return directory_; }
  std::filesystem::path data_directory(size_t index) const;
  const std::string& coordinator_address() const { return coordinator_address_; }
  const std::string& participant_address(size_t index) const { return addresses_[index]; }
  // The command of a participant, for tests that start it otherwise.
  std::vector<std::string> ParticipantCommand(size_t index) const;

  // Require has_proxy. The link that leads to process(index).
  FaultProxy& proxy() { return *proxy_; }
  size_t link(size_t index) const { return links_[index]; }
  // nullptr without shims.
  ShimControl* shim(size_t index) { return shims_.empty() ? nullptr : shims_[index].get(); }
  // Gives a participant another address, which the coordinator's configuration names from its next
  // start on. Requires that neither is started.
  void Move(size_t index);

  void StartAll();
  // Until all participants are READY, nothing is in doubt and every decision is delivered. On
  // failure says why.
  std::optional<std::string> WaitUntilSettled(absl::Duration limit);

  // What a participant tells of itself, asked directly; fails the test if it does not answer.
  v1::NodeReport ReportOf(size_t index) const;

  // Stubs on channels that reconnect fast; each call makes a new connection. The coordinator's goes
  // through the proxy, those of participants lead to them directly.
  std::unique_ptr<v1::CoordinatorService::Stub> Coordinator() const;
  std::unique_ptr<v1::ParticipantService::Stub> Participant(size_t index) const;
  std::unique_ptr<v1::TwoPhaseCommitService::Stub> TwoPhaseCommit(size_t index) const;

 private:
  void ChooseAddresses();
  std::string UnusedAddress() const;
  // The address at which others reach process(index).
  std::string PublicAddress(size_t index) const;
  std::unique_ptr<Process> MakeProcess(size_t index);
  void WriteCoordinatorConfig() const;

  const std::vector<NodeSpec> nodes_;
  const ProcessClusterOptions options_;
  std::filesystem::path directory_;
  std::string coordinator_address_;
  std::vector<std::string> addresses_;
  std::unique_ptr<FaultProxy> proxy_;
  std::vector<size_t> links_;
  std::vector<std::unique_ptr<ShimControl>> shims_;
  std::unique_ptr<Process> coordinator_;
  std::vector<std::unique_ptr<Process>> participants_;
};

// A channel to a process that may be killed and come back.
std::shared_ptr<grpc::Channel> TestChannel(const std::string& address);

// A context with a deadline.
std::unique_ptr<grpc::ClientContext> Within(absl::Duration limit, bool wait_for_ready = false);

// ErrorInfo of a failed call: the reason and the metadata; an empty reason if there is none.
struct ErrorDetails {
  std::string reason;
  std::map<std::string, std::string> metadata;
  // "" when it is not there.
  std::string operator[](const std::string& key) const;
};
ErrorDetails DetailsOf(const grpc::Status& status);

// For messages of failed expectations.
std::string ToText(const grpc::Status& status);

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_SUPPORT_PROCESS_CLUSTER_H_
