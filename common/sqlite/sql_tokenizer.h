// SQL text cut into tokens, as SQLite cuts it.
#ifndef LOCKSTEP_COMMON_SQLITE_SQL_TOKENIZER_H_
#define LOCKSTEP_COMMON_SQLITE_SQL_TOKENIZER_H_

#include <string>
#include <string_view>

namespace lockstep::sqlite {

struct SqlToken {
  enum class Kind {
    kWord,              // a keyword or an unquoted identifier
    kQuotedIdentifier,  // "…", […] or `…`
    kString,            // '…'
    kBlob,              // x'…'
    kNumber,
    kVariable,     // ? ?1 :a @a $a
    kPunctuation,  // one character
    kEnd,
  };
  Kind kind = Kind::kEnd;
  std::string_view text;  // as written, with its quotes

  // Whether it is this keyword, in any case. `upper` is in upper case.
  bool Is(std::string_view upper) const;
  // The name that it stands for where SQL wants a name: without quotes. Empty for other kinds.
  std::string Name() const;
};

// Cuts blanks and comments away. What is not closed (a string, a comment) ends with the text. Bytes
// above 127 are letters. `sql` must outlive the tokenizer and its tokens.
class SqlTokenizer {
 public:
  explicit SqlTokenizer(std::string_view sql) : rest_(sql) {}
  // kEnd at the end, again and again.
  SqlToken Next();

 private:
  void SkipBlanks();
  SqlToken Take(SqlToken::Kind kind, size_t length);
  size_t QuotedLength(char close) const;
  size_t NumberLength() const;
  size_t VariableLength() const;

  std::string_view rest_;
};

// A name as SQL wants it: in double quotes.
std::string QuotedName(std::string_view name);

// Whether there is nothing but blanks, comments and semicolons.
bool IsBlankSql(std::string_view sql);

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_SQL_TOKENIZER_H_
