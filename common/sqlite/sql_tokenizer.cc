#include "common/sqlite/sql_tokenizer.h"

#include <algorithm>

namespace lockstep::sqlite {
namespace {

using Kind = SqlToken::Kind;

// SQLite takes a vertical tab for a blank too, if another blank stands before it.
bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool IsWordStart(char c) {
  const char upper = Upper(c);
  return (upper >= 'A' && upper <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

bool IsWordCharacter(char c) { return IsWordStart(c) || IsDigit(c) || c == '$'; }

template <typename Predicate>
size_t LengthOf(std::string_view text, size_t from, Predicate predicate) {
  const auto end =
      std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(std::min(from, text.size())),
                       text.end(), predicate);
  return static_cast<size_t>(end - text.begin());
}

}  // namespace

bool SqlToken::Is(std::string_view upper) const {
  return kind == Kind::kWord && text.size() == upper.size() &&
         std::equal(text.begin(), text.end(), upper.begin(),
                    [](char a, char b) { return Upper(a) == b; });
}

std::string SqlToken::Name() const {
  if (kind == Kind::kWord) return std::string(text);
  if (kind != Kind::kQuotedIdentifier && kind != Kind::kString) return "";
  const char close = text.front() == '[' ? ']' : text.front();
  std::string name;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == close) {
      const bool doubled = close != ']' && i + 1 < text.size() && text[i + 1] == close;
      if (!doubled) break;
      ++i;
    }
    name.push_back(text[i]);
  }
  return name;
}

void SqlTokenizer::SkipBlanks() {
  for (;;) {
    rest_.remove_prefix(LengthOf(rest_, 0, IsBlank));
    size_t skip = 0;
    if (rest_.substr(0, 2) == "--") {
      skip = rest_.find('\n');
    } else if (rest_.substr(0, 2) == "/*" && rest_.size() > 2) {
      const size_t close = rest_.find("*/", 2);
      skip = close == std::string_view::npos ? close : close + 2;
    } else if (rest_.substr(0, 3) == "\xEF\xBB\xBF") {
      skip = 3;  // SQLite takes a byte order mark for a blank
    } else {
      return;
    }
    rest_.remove_prefix(std::min(skip, rest_.size()));
  }
}

SqlToken SqlTokenizer::Take(Kind kind, size_t length) {
  SqlToken token{kind, rest_.substr(0, length)};
  rest_.remove_prefix(token.text.size());
  return token;
}

size_t SqlTokenizer::QuotedLength(char close) const {
  for (size_t i = 1; i < rest_.size(); ++i) {
    if (rest_[i] != close) continue;
    const bool doubled = close != ']' && i + 1 < rest_.size() && rest_[i + 1] == close;
    if (!doubled) return i + 1;
    ++i;
  }
  return rest_.size();
}

size_t SqlTokenizer::NumberLength() const {
  if (rest_.size() > 2 && rest_[0] == '0' && Upper(rest_[1]) == 'X') {
    return LengthOf(rest_, 2, IsWordCharacter);
  }
  size_t length = LengthOf(rest_, 0, [](char c) { return IsDigit(c) || c == '.'; });
  if (length < rest_.size() && Upper(rest_[length]) == 'E') {
    size_t digits = length + 1;
    if (digits < rest_.size() && (rest_[digits] == '+' || rest_[digits] == '-')) ++digits;
    if (digits < rest_.size() && IsDigit(rest_[digits])) length = LengthOf(rest_, digits, IsDigit);
  }
  return LengthOf(rest_, length, IsWordCharacter);
}

// Tcl's forms count: $a::b and $a(any'thing), whose quote opens no string.
size_t SqlTokenizer::VariableLength() const {
  size_t i = 1;
  bool has_name = false;
  for (; i < rest_.size(); ++i) {
    if (IsWordCharacter(rest_[i])) {
      has_name = true;
    } else if (rest_[i] == '(' && has_name) {
      const size_t close = LengthOf(rest_, i + 1, [](char c) { return !IsBlank(c) && c != ')'; });
      return close < rest_.size() && rest_[close] == ')' ? close + 1 : close;
    } else if (rest_[i] == ':' && i + 1 < rest_.size() && rest_[i + 1] == ':') {
      ++i;
    } else {
      break;
    }
  }
  return i;
}

SqlToken SqlTokenizer::Next() {
  SkipBlanks();
  if (rest_.empty()) return SqlToken();
  const char first = rest_[0];
  const char second = rest_.size() > 1 ? rest_[1] : '\0';
  switch (first) {
    case '\'':
      return Take(Kind::kString, QuotedLength('\''));
    case '"':
    case '`':
      return Take(Kind::kQuotedIdentifier, QuotedLength(first));
    case '[':
      return Take(Kind::kQuotedIdentifier, QuotedLength(']'));
    case '?':
      return Take(Kind::kVariable, LengthOf(rest_, 1, IsDigit));
    case ':':
    case '@':
    case '$':
    case '#':
      return Take(Kind::kVariable, VariableLength());
    default:
      break;
  }
  if ((first == 'x' || first == 'X') && second == '\'') {
    rest_.remove_prefix(1);
    return Take(Kind::kBlob, QuotedLength('\''));
  }
  if (IsWordStart(first)) return Take(Kind::kWord, LengthOf(rest_, 0, IsWordCharacter));
  if (IsDigit(first) || (first == '.' && IsDigit(second))) {
    return Take(Kind::kNumber, NumberLength());
  }
  return Take(Kind::kPunctuation, 1);
}

std::string QuotedName(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted.push_back('"');
    quoted.push_back(c);
  }
  quoted.push_back('"');
  return quoted;
}

bool IsBlankSql(std::string_view sql) {
  SqlTokenizer tokenizer(sql);
  for (;;) {
    const SqlToken token = tokenizer.Next();
    if (token.kind == Kind::kEnd) return true;
    if (token.kind != Kind::kPunctuation || token.text != ";") return false;
  }
}

}  // namespace lockstep::sqlite
