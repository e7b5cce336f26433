#include "tests/model/truths.h"

#include "absl/hash/hash.h"

namespace lockstep::model {
namespace {

uint64_t WordOf(RoundId round) { return static_cast<uint64_t>(round.value()); }

struct DeedWords {
  Words* words;

  void operator()(const Submitted& it) const { words->push_back(it.transaction); }
  void operator()(const coordinator::SendPrepare& it) const {
    words->insert(words->end(), {it.participant, WordOf(it.round), it.branches.size()});
    for (const auto& branch : it.branches) words->push_back(branch.transaction);
  }
  void operator()(const coordinator::PrepareAnswered& it) const {
    words->insert(words->end(), {it.participant, WordOf(it.round), it.votes.size()});
    for (const simulation::Vote& vote : it.votes) {
      words->insert(words->end(), {static_cast<uint64_t>(vote.kind), vote.digest});
    }
  }
  void operator()(const coordinator::LogDecision& it) const {
    words->insert(words->end(), {WordOf(it.round), it.kept.size(), it.committed.size()});
    for (const auto& kept : it.kept) {
      words->insert(words->end(), {kept.participant, kept.cut});
    }
    words->insert(words->end(), it.committed.begin(), it.committed.end());
  }
  void operator()(const coordinator::Complete& it) const {
    words->insert(words->end(),
                  {it.transaction, static_cast<uint64_t>(it.ending),
                   static_cast<uint64_t>(it.reason), WordOf(it.round), it.participant});
  }
  void operator()(const Executed& it) const {
    words->insert(words->end(), {it.participant, WordOf(it.round), WordOf(it.applied)});
  }
  void operator()(const RolledBack& it) const {
    words->insert(words->end(), {it.participant, WordOf(it.round)});
  }
  void operator()(const Violation& it) const { words->push_back(absl::HashOf(it.what)); }
};

struct TellTruth {
  simulation::Truth* truth;

  void operator()(const Submitted& it) const { truth->Submitted(it.transaction, it.participants); }
  void operator()(const coordinator::SendPrepare& it) const { truth->Sent(it); }
  void operator()(const coordinator::PrepareAnswered& it) const { truth->Voted(it); }
  void operator()(const coordinator::LogDecision& it) const { truth->Decided(it); }
  void operator()(const coordinator::Complete& it) const { truth->Told(it); }
  void operator()(const Executed& it) const {
    truth->Executes(it.participant, it.round, it.applied);
  }
  void operator()(const RolledBack& it) const { truth->RolledBack(it.participant, it.round); }
  void operator()(const Violation& it) const { truth->Violate(it.what); }
};

}  // namespace

Id Truths::First() { return Intern(first_); }

Id Truths::Intern(const simulation::Truth& truth) {
  Words words;
  truth.AppendState(&words);
  words.push_back(truth.violation() ? absl::HashOf(*truth.violation()) : 0);
  return truths_.Intern(words, truth);
}

Id Truths::InternDeeds(const Deeds& deeds) {
  Words words;
  for (const Deed& deed : deeds) {
    words.push_back(deed.index());
    std::visit(DeedWords{&words}, deed);
  }
  return deeds_.Intern(words, deeds);
}

Id Truths::Apply(Id truth, Id deeds) {
  if (deeds == none_) return truth;
  const uint64_t key = uint64_t{truth} << 32 | deeds;
  if (const auto known = applied_.find(key); known != applied_.end()) return known->second;
  simulation::Truth next = truths_.at(truth);
  for (const Deed& deed : deeds_.at(deeds)) std::visit(TellTruth{&next}, deed);
  const Id id = Intern(next);
  applied_.emplace(key, id);
  return id;
}

}  // namespace lockstep::model
