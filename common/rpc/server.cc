#include "common/rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

#include "absl/time/clock.h"
#include "common/check.h"
#include "common/rpc/listen.h"

namespace lockstep::rpc {
namespace {

std::unique_ptr<grpc::ServerBuilder> NewBuilder() {
  // Both are switches of the process, read when a builder is made.
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  return std::make_unique<grpc::ServerBuilder>();
}

}  // namespace

Server::Server(ServerOptions options)
    : options_(std::move(options)),
      builder_(NewBuilder()),
      queues_(builder_.get(), options_.queues) {
  SetServerArguments(builder_.get(), options_.max_receive_bytes);
}

Server::~Server() {
  StopServing(absl::ZeroDuration());
  DrainQueues();
}

void Server::AddService(std::unique_ptr<grpc::Service> service, std::string name) {
  builder_->RegisterService(service.get());
  services_.push_back(std::move(service));
  service_names_.push_back(std::move(name));
}

void Server::AddMethod(std::shared_ptr<internal::MethodState> method, Post post) {
  methods_.emplace_back(std::move(method), std::move(post));
}

absl::Status Server::Start() {
  LOCKSTEP_CHECK(server_ == nullptr, "a server starts once");
  builder_->AddListeningPort(options_.address, grpc::InsecureServerCredentials(), &port_);
  server_ = builder_->BuildAndStart();
  if (server_ == nullptr || port_ == 0) {
    return absl::UnavailableError("cannot listen on " + options_.address + ": " +
                                  WhyNotListening(options_.address));
  }
  SetServing(false);
  for (const auto& [method, post] : methods_) {
    for (int queue = 0; queue < queues_.size(); ++queue) {
      for (int i = 0; i < method->options.waiting_per_queue; ++i) post(queues_.at(queue));
    }
  }
  queues_.Run("rpc");
  return absl::OkStatus();
}

void Server::SetServing(bool serving) {
  grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
  health->SetServingStatus("", serving);
  for (const std::string& name : service_names_) health->SetServingStatus(name, serving);
}

void Server::StopServing(absl::Duration grace) {
  if (server_ == nullptr || stopped_) return;
  stopped_ = true;
  server_->GetHealthCheckService()->Shutdown();
  stopping_.store(true, std::memory_order_relaxed);
  server_->Shutdown(absl::ToChronoTime(absl::Now() + grace));
}

void Server::DrainQueues() {
  queues_.Shutdown();
  queues_.Join();
}

}  // namespace lockstep::rpc
