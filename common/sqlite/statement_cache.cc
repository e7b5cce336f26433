#include "common/sqlite/statement_cache.h"

#include <utility>

#include "common/check.h"

namespace lockstep::sqlite {

CachedStatement* StatementCache::Find(std::string_view sql) {
  const auto found = index_.find(sql);
  if (found == index_.end()) return nullptr;
  const List::iterator entry = found->second;
  if (entry != newest_first_.begin()) {
    newest_first_.splice(newest_first_.begin(), newest_first_, entry);
  }
  return &*entry;
}

CachedStatement* StatementCache::Insert(std::string_view sql, Statement statement, uint32_t tags) {
  newest_first_.emplace_front();
  CachedStatement& entry = newest_first_.front();
  entry.sql = sql;
  entry.tags = tags;
  entry.parameter_count = statement.parameter_count();
  // SQLite keeps a copy of the text, too, which memory_used does not count.
  entry.bytes = statement.memory_used() + 2 * static_cast<int64_t>(sql.size()) +
                static_cast<int64_t>(sizeof(CachedStatement));
  entry.statement = std::move(statement);
  bytes_ += entry.bytes;
  const bool inserted = index_.emplace(std::string_view(entry.sql), newest_first_.begin()).second;
  LOCKSTEP_CHECK(inserted, "a statement was cached twice");
  while (bytes_ > max_bytes_ && newest_first_.size() > 1) EvictOldest();
  return &entry;
}

void StatementCache::EvictOldest() {
  const CachedStatement& oldest = newest_first_.back();
  bytes_ -= oldest.bytes;
  index_.erase(std::string_view(oldest.sql));
  newest_first_.pop_back();
}

void StatementCache::Clear() {
  index_.clear();
  newest_first_.clear();
  bytes_ = 0;
}

}  // namespace lockstep::sqlite
