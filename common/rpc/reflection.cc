#include "common/rpc/reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <functional>
#include <utility>

namespace lockstep::rpc {
namespace {

// Nobody needs more than a few at once, and each takes memory for as long as its client likes.
constexpr size_t kMostStreams = 100;

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
using Response = grpc::reflection::v1alpha::ServerReflectionResponse;

void NotFound(const std::string& what, Response* response) {
  auto* error = response->mutable_error_response();
  error->set_error_code(grpc::StatusCode::NOT_FOUND);
  error->set_error_message(what + " is not known to this server");
}

// The file and all that it imports, each once.
void AddFile(const FileDescriptor* file, std::set<const FileDescriptor*>* added,
             Response* response) {
  if (!added->insert(file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file->CopyTo(&proto);
  response->mutable_file_descriptor_response()->add_file_descriptor_proto(
      proto.SerializeAsString());
  for (int i = 0; i < file->dependency_count(); ++i) AddFile(file->dependency(i), added, response);
}

void AnswerFile(const FileDescriptor* file, const std::string& asked, Response* response) {
  if (file == nullptr) return NotFound(asked, response);
  std::set<const FileDescriptor*> added;
  AddFile(file, &added, response);
}

const FileDescriptor* FileOfExtension(const DescriptorPool& pool, const std::string& type,
                                      int number) {
  const Descriptor* message = pool.FindMessageTypeByName(type);
  if (message == nullptr) return nullptr;
  const FieldDescriptor* extension = pool.FindExtensionByNumber(message, number);
  return extension == nullptr ? nullptr : extension->file();
}

void AnswerExtensionNumbers(const DescriptorPool& pool, const std::string& type,
                            Response* response) {
  const Descriptor* message = pool.FindMessageTypeByName(type);
  if (message == nullptr) return NotFound(type, response);
  std::vector<const FieldDescriptor*> extensions;
  pool.FindAllExtensions(message, &extensions);
  auto* answer = response->mutable_all_extension_numbers_response();
  answer->set_base_type_name(type);
  for (const FieldDescriptor* extension : extensions) {
    answer->add_extension_number(extension->number());
  }
}

}  // namespace

Response Reflect(const Request& request, const std::vector<std::string>& services) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  Response response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case Request::kFileByFilename:
      AnswerFile(pool.FindFileByName(request.file_by_filename()), request.file_by_filename(),
                 &response);
      break;
    case Request::kFileContainingSymbol:
      AnswerFile(pool.FindFileContainingSymbol(request.file_containing_symbol()),
                 request.file_containing_symbol(), &response);
      break;
    case Request::kFileContainingExtension: {
      const auto& extension = request.file_containing_extension();
      AnswerFile(FileOfExtension(pool, extension.containing_type(), extension.extension_number()),
                 "extension " + std::to_string(extension.extension_number()) + " of " +
                     extension.containing_type(),
                 &response);
      break;
    }
    case Request::kAllExtensionNumbersOfType:
      AnswerExtensionNumbers(pool, request.all_extension_numbers_of_type(), &response);
      break;
    case Request::kListServices:
      for (const std::string& service : services) {
        response.mutable_list_services_response()->add_service()->set_name(service);
      }
      break;
    case Request::MESSAGE_REQUEST_NOT_SET:
      response.mutable_error_response()->set_error_code(grpc::StatusCode::INVALID_ARGUMENT);
      response.mutable_error_response()->set_error_message("the request asks for nothing");
      break;
  }
  return response;
}

// One stream of questions, from waiting for it until its last event; owns itself. One operation is
// pending at any time.
class Reflection::InfoCall final : public Tag {
 public:
  static void Post(Reflection* reflection, Service::AsyncService* service, Queue* queue) {
    auto* call = new InfoCall(reflection, service, queue);
    call->StartOrEnd([call](grpc::CompletionQueue* completion_queue) {
      call->service_->RequestServerReflectionInfo(
          &call->context_, &call->stream_, completion_queue,
          static_cast<grpc::ServerCompletionQueue*>(completion_queue), static_cast<Tag*>(call));
    });
  }

  void Cancel() { context_.TryCancel(); }

  void OnEvent(bool ok) noexcept override {
    switch (phase_) {
      case Phase::kWaiting:
        return ok ? Arrive() : End();
      case Phase::kReading:
        return ok ? Answer() : Finish(grpc::Status::OK);
      case Phase::kWriting:
        return ok ? Read() : End();
      case Phase::kFinishing:
        return End();
    }
  }

 private:
  enum class Phase { kWaiting, kReading, kWriting, kFinishing };

  InfoCall(Reflection* reflection, Service::AsyncService* service, Queue* queue)
      : reflection_(reflection), service_(service), queue_(queue), stream_(&context_) {}
  ~InfoCall() override = default;

  void Arrive() {
    Post(reflection_, service_, queue_);
    bool has_place = false;
    {
      std::lock_guard lock(reflection_->mutex_);
      has_place = reflection_->calls_.size() < kMostStreams;
      reflection_->calls_.insert(this);
      if (reflection_->stopped_) Cancel();
    }
    if (has_place) return Read();
    Finish(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                        "this server has " + std::to_string(kMostStreams) +
                            " reflection streams, its limit; close some"));
  }

  void Read() {
    phase_ = Phase::kReading;
    StartOrEnd(
        [this](grpc::CompletionQueue*) { stream_.Read(&request_, static_cast<Tag*>(this)); });
  }

  void Answer() {
    phase_ = Phase::kWriting;
    const Response response = Reflect(request_, reflection_->services_);
    StartOrEnd([&](grpc::CompletionQueue*) { stream_.Write(response, static_cast<Tag*>(this)); });
  }

  void Finish(const grpc::Status& status) {
    phase_ = Phase::kFinishing;
    StartOrEnd([&](grpc::CompletionQueue*) { stream_.Finish(status, static_cast<Tag*>(this)); });
  }

  template <typename Operation>
  void StartOrEnd(Operation operation) {
    if (!queue_->Start(operation)) End();
  }

  void End() {
    {
      std::lock_guard lock(reflection_->mutex_);
      reflection_->calls_.erase(this);
    }
    delete this;
  }

  Reflection* const reflection_;
  Service::AsyncService* const service_;
  Queue* const queue_;
  Phase phase_ = Phase::kWaiting;
  grpc::ServerContext context_;
  Request request_;
  grpc::ServerAsyncReaderWriter<Response, Request> stream_;
};

void Reflection::Serve(Service::AsyncService* service, Queue* queue) {
  InfoCall::Post(this, service, queue);
}

void Reflection::Stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  for (InfoCall* call : calls_) call->Cancel();
}

}  // namespace lockstep::rpc
