#include "tests/simulation/trace.h"

namespace lockstep::simulation {
const char* NameOf(Request::Kind kind) {
  switch (kind) {
    case Request::Kind::kPrepare:
      return "Prepare";
    case Request::Kind::kCommit:
      return "Commit";
    case Request::Kind::kRollback:
      return "Rollback";
    case Request::Kind::kFence:
      return "Fence";
    case Request::Kind::kStatus:
      return "Status";
    case Request::Kind::kRead:
      return "Read";
  }
  return "?";
}

namespace {

uint64_t NumberOf(TransactionHandle transaction) {
  return transaction & (kNondeterministicBit - 1);
}

std::string DescribeCut(Cut cut) {
  return cut == coordinator::kKeepAll ? "all" : absl::StrCat("below ", cut);
}

struct EffectText {
  std::string operator()(const coordinator::SendPrepare& it) const {
    std::string text =
        absl::StrCat("SendPrepare p", it.participant, " ", Describe(it.round), " of");
    for (const PreparedBranch& branch : it.branches)
      absl::StrAppend(&text, " tx", NumberOf(branch.transaction));
    return text;
  }
  std::string operator()(const coordinator::LogDecision& it) const {
    std::string text = absl::StrCat("LogDecision ", Describe(it.round));
    for (const auto& kept : it.kept) {
      absl::StrAppend(&text, " p", kept.participant, " keeps ", DescribeCut(kept.cut));
    }
    for (const TransactionHandle handle : it.committed)
      absl::StrAppend(&text, " tx", NumberOf(handle));
    return text;
  }
  std::string operator()(const coordinator::SendCommit& it) const {
    return absl::StrCat("SendCommit p", it.participant, " ", Describe(it.round), " keeps ",
                        DescribeCut(it.cut));
  }
  std::string operator()(const coordinator::SendRollback& it) const {
    return absl::StrCat("SendRollback p", it.participant, " ", Describe(it.round));
  }
  std::string operator()(const coordinator::SendFence& it) const {
    return absl::StrCat("SendFence p", it.participant);
  }
  std::string operator()(const coordinator::SendStatus& it) const {
    return absl::StrCat("SendStatus p", it.participant);
  }
  std::string operator()(const coordinator::Complete& it) const {
    return absl::StrCat("Complete tx", NumberOf(it.transaction), " ending ",
                        static_cast<int>(it.ending), " reason ", static_cast<int>(it.reason), " ",
                        Describe(it.round));
  }
  std::string operator()(const coordinator::ForgetDecision& it) const {
    return absl::StrCat("Forget ", Describe(it.round));
  }
  std::string operator()(const coordinator::RecordDurable& it) const {
    return absl::StrCat("RecordDurable p", it.participant, " ", Describe(it.durable));
  }
  std::string operator()(const coordinator::ParticipantStateChanged& it) const {
    return absl::StrCat("p", it.participant, " is ", static_cast<int>(it.state), ": ", it.reason);
  }
  std::string operator()(const coordinator::Alarm& it) const {
    return absl::StrCat("ALARM p", it.participant, ": ", it.reason);
  }
  std::string operator()(const coordinator::Fatal& it) const { return "FATAL " + it.reason; }
  std::string operator()(const coordinator::Idle&) const { return "Idle"; }
};

}  // namespace

std::string Describe(RoundId round) { return absl::StrCat(round.term(), ".", round.number()); }

std::string Describe(const Request& request) {
  return absl::StrCat(NameOf(request.kind), "(", Describe(request.round),
                      request.cut == coordinator::kKeepAll ? "" : ", " + DescribeCut(request.cut),
                      ", term ", request.term, ")");
}

std::string Describe(const Answer& answer) {
  return absl::StrCat(answer.ok ? "OK" : "error", " applied ", Describe(answer.report.applied),
                      " durable ", Describe(answer.report.durable), " prepared ",
                      Describe(answer.report.prepared), answer.report.in_doubt ? " in doubt" : "");
}

std::string Describe(const coordinator::Effect& effect) { return std::visit(EffectText(), effect); }

}  // namespace lockstep::simulation
