#include "tests/support/process_cluster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/check.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace lockstep::testing_support {
namespace {

namespace fs = std::filesystem;

#ifdef LOCKSTEP_TEST_SHIM
constexpr bool kCanHaveShims = true;
#else
#define LOCKSTEP_TEST_SHIM ""
constexpr bool kCanHaveShims = false;
#endif

std::string Program(const ProcessClusterOptions& options, const std::string& name) {
  return options.has_failpoints
             ? absl::StrCat(LOCKSTEP_FAILPOINT_BIN_DIR, "/", name, "-with-failpoints")
             : absl::StrCat(LOCKSTEP_TEST_BIN_DIR, "/", name);
}

int PortOf(const std::string& address) {
  return std::atoi(address.substr(address.rfind(':') + 1).c_str());
}

fs::path MakeDirectory() {
  std::string name = (fs::temp_directory_path() / "lockstep-cluster-XXXXXX").string();
  LOCKSTEP_CHECK(mkdtemp(name.data()) != nullptr, "no directory for the cluster's data");
  return name;
}

const char* RoleName(const NodeSpec& node) { return node.master ? "MASTER" : "BACKUP"; }

// Why the cluster is not settled; empty when it is.
std::string Unsettled(const v1::GetClusterStatusResponse& status, size_t nodes) {
  if (static_cast<size_t>(status.participants_size()) != nodes) return "participants are missing";
  for (const v1::ParticipantStatus& node : status.participants()) {
    if (node.state() != v1::STATE_READY || node.in_doubt_round() != 0) {
      return absl::StrCat(node.node_id(), " is ", v1::State_Name(node.state()), " (",
                          node.state_reason(), "), in doubt ", node.in_doubt_round());
    }
  }
  if (status.queue_length() != 0 || status.rounds_in_flight() != 0 ||
      status.undelivered_decisions() != 0) {
    return absl::StrCat(status.queue_length(), " transactions wait, ", status.rounds_in_flight(),
                        " rounds in flight, ", status.undelivered_decisions(),
                        " decisions undelivered");
  }
  return "";
}

}  // namespace

std::vector<NodeSpec> FiveNodes() {
  return {{"bank-1", "bank", true},
          {"bank-2", "bank", false},
          {"bank-3", "bank", false},
          {"stock-1", "stock", true},
          {"orders-1", "orders", true}};
}

ProcessCluster::ProcessCluster(std::vector<NodeSpec> nodes, ProcessClusterOptions options)
    : nodes_(std::move(nodes)), options_(options), directory_(MakeDirectory()) {
  // A client without a polling thread of its own would look at a new connection every 5 s only.
  setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "100", /*overwrite=*/0);
  ChooseAddresses();
  for (size_t i = 0; kCanHaveShims && options_.has_shims && i <= nodes_.size(); ++i) {
    shims_.push_back(
        std::make_unique<ShimControl>(directory_ / absl::StrCat(process_name(i), ".shim")));
  }
  for (size_t i = 0; i < nodes_.size(); ++i) participants_.push_back(MakeProcess(i));
  coordinator_ = MakeProcess(nodes_.size());
  WriteCoordinatorConfig();
}

void ProcessCluster::ChooseAddresses() {
  coordinator_address_ = UnusedAddress();
  for (size_t i = 0; i < nodes_.size(); ++i) addresses_.push_back(UnusedAddress());
  if (!options_.has_proxy) return;
  proxy_ = std::make_unique<FaultProxy>();
  for (const std::string& address : addresses_) links_.push_back(proxy_->AddLink(PortOf(address)));
  links_.push_back(proxy_->AddLink(PortOf(coordinator_address_)));
}

std::string ProcessCluster::UnusedAddress() const {
  for (;;) {
    std::string address = absl::StrCat("127.0.0.1:", FreePort());
    if (address != coordinator_address_ &&
        std::find(addresses_.begin(), addresses_.end(), address) == addresses_.end()) {
      return address;
    }
  }
}

std::string ProcessCluster::PublicAddress(size_t index) const {
  if (proxy_ != nullptr) return absl::StrCat("127.0.0.1:", proxy_->port(links_[index]));
  return index < nodes_.size() ? addresses_[index] : coordinator_address_;
}

std::unique_ptr<Process> ProcessCluster::MakeProcess(size_t index) {
  std::vector<std::string> command = {Program(options_, "lockstep-coordinator"), "--config",
                                      (directory_ / "cluster.yaml").string()};
  if (index < nodes_.size()) command = ParticipantCommand(index);
  std::vector<std::string> environment;
  if (!shims_.empty()) environment = shims_[index]->Environment(LOCKSTEP_TEST_SHIM);
  return std::make_unique<Process>(std::move(command),
                                   directory_ / absl::StrCat(process_name(index), ".log"),
                                   std::move(environment));
}

void ProcessCluster::Move(size_t index) {
  LOCKSTEP_CHECK(!participants_[index]->started() && !coordinator_->started(), "moved too early");
  addresses_[index] = UnusedAddress();
  if (proxy_ != nullptr) links_[index] = proxy_->AddLink(PortOf(addresses_[index]));
  participants_[index] = MakeProcess(index);
  WriteCoordinatorConfig();
}

ProcessCluster::~ProcessCluster() {
  coordinator_.reset();
  participants_.clear();
  if (::testing::Test::HasFailure()) {
    std::cout << "data and logs of the failed test: " << directory_ << std::endl;
  } else {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }
}

size_t ProcessCluster::IndexOf(const std::string& node_id) const {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].node_id == node_id) return i;
  }
  LOCKSTEP_CHECK(false, absl::StrCat("no node ", node_id));
}

std::string ProcessCluster::process_name(size_t index) const {
  return index < nodes_.size() ? nodes_[index].node_id : "coordinator";
}

fs::path ProcessCluster::data_directory(size_t index) const {
  return directory_ / nodes_[index].node_id;
}

std::vector<std::string> ProcessCluster::ParticipantCommand(size_t index) const {
  const NodeSpec& node = nodes_[index];
  return {Program(options_, "lockstep-participant"),
          "--listen",
          addresses_[index],
          "--data-dir",
          data_directory(index).string(),
          "--cluster-id",
          kClusterId,
          "--node-id",
          node.node_id,
          "--database",
          node.database,
          "--role",
          RoleName(node)};
}

void ProcessCluster::WriteCoordinatorConfig() const {
  std::ofstream file(directory_ / "cluster.yaml");
  file << "cluster_id: " << kClusterId << "\nlisten: " << coordinator_address_
       << "\ndata_dir: " << (directory_ / "coordinator").string() << "\ncluster:\n";
  for (size_t i = 0; i < nodes_.size(); ++i) {
    file << "  - {node_id: " << nodes_[i].node_id << ", database: " << nodes_[i].database
         << ", role: " << RoleName(nodes_[i]) << ", address: \"" << PublicAddress(i) << "\"}\n";
  }
}

void ProcessCluster::StartAll() {
  for (size_t i = 0; i <= size(); ++i) {
    if (!process(i).started()) process(i).Start();
  }
}

std::optional<std::string> ProcessCluster::WaitUntilSettled(absl::Duration limit) {
  const auto stub = Coordinator();
  std::string why;
  const bool settled = Eventually(limit, [&] {
    v1::GetClusterStatusResponse response;
    const grpc::Status status = stub->GetClusterStatus(
        Within(absl::Seconds(1), /*wait_for_ready=*/true).get(), {}, &response);
    why = status.ok() ? Unsettled(response, size()) : ToText(status);
    return why.empty();
  });
  if (settled) return std::nullopt;
  for (size_t i = 0; i <= size(); ++i) {
    if (auto end = process(i).Died()) absl::StrAppend(&why, "\n", process_name(i), ": ", *end);
  }
  return why;
}

v1::NodeReport ProcessCluster::ReportOf(size_t index) const {
  // Any term that no coordinator has reached: a Status obeys none.
  constexpr uint32_t kLateTerm = 1 << 19;
  v1::StatusRequest request;
  request.mutable_target()->set_cluster_id(kClusterId);
  request.mutable_target()->set_node_id(nodes_[index].node_id);
  request.mutable_target()->set_term(kLateTerm);
  v1::StatusResponse response;
  const grpc::Status status = TwoPhaseCommit(index)->Status(
      Within(absl::Seconds(20), /*wait_for_ready=*/true).get(), request, &response);
  EXPECT_TRUE(status.ok()) << nodes_[index].node_id << ": " << ToText(status);
  return response.report();
}

std::unique_ptr<v1::CoordinatorService::Stub> ProcessCluster::Coordinator() const {
  return v1::CoordinatorService::NewStub(TestChannel(PublicAddress(nodes_.size())));
}

std::unique_ptr<v1::ParticipantService::Stub> ProcessCluster::Participant(size_t index) const {
  return v1::ParticipantService::NewStub(TestChannel(addresses_[index]));
}

std::unique_ptr<v1::TwoPhaseCommitService::Stub> ProcessCluster::TwoPhaseCommit(
    size_t index) const {
  return v1::TwoPhaseCommitService::NewStub(TestChannel(addresses_[index]));
}

std::shared_ptr<grpc::Channel> TestChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(16 << 20);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

std::unique_ptr<grpc::ClientContext> Within(absl::Duration limit, bool wait_for_ready) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(absl::ToChronoTime(absl::Now() + limit));
  context->set_wait_for_ready(wait_for_ready);
  return context;
}

std::string ErrorDetails::operator[](const std::string& key) const {
  const auto entry = metadata.find(key);
  return entry == metadata.end() ? "" : entry->second;
}

ErrorDetails DetailsOf(const grpc::Status& status) {
  ErrorDetails details;
  google::rpc::Status message;
  if (!message.ParseFromString(status.error_details())) return details;
  for (const auto& any : message.details()) {
    google::rpc::ErrorInfo info;
    if (!any.Is<google::rpc::ErrorInfo>() || !any.UnpackTo(&info)) continue;
    details.reason = info.reason();
    details.metadata.insert(info.metadata().begin(), info.metadata().end());
  }
  return details;
}

std::string ToText(const grpc::Status& status) {
  if (status.ok()) return "OK";
  std::string text = absl::StrCat("code ", static_cast<int>(status.error_code()), " ",
                                  DetailsOf(status).reason, ": ", status.error_message());
  for (const auto& [key, value] : DetailsOf(status).metadata) {
    absl::StrAppend(&text, " ", key, "=", value);
  }
  return text;
}

}  // namespace lockstep::testing_support
