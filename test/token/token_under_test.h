// TokenUnderTest: the token of one case of the conformance suite, whichever it is: MemoryToken, or
// the one that test/token/with_token put beside this process.
//
// HSMOPS_TOKEN_KIND says which: memory-softhsm (the default) and memory-generic are MemoryToken
// with that profile. A real token outlives the case, so each begins by removing what it is going to
// use.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "libhsmops/token/token.h"

namespace hsmops::test {

// The applications that cases write under. The first is the one under test.
inline constexpr std::string_view kOurs = "khsm-test";
inline constexpr std::string_view kTheirs = "khsm-other";

// What is known of a token beyond what Token promises. Each is said once, in TraitsOf, with its
// reason.
struct Traits {
  std::string kind;
  std::size_t objects = 250;    // a search has to find so many
  std::size_t secrets = 60;     // one store has to hold so many
  bool unplugs = true;          // there is a way to take it away and bring it back
  bool keeps_empty = true;      // a CKA_VALUE of no bytes can be written
  bool tells_wrong_pin = true;  // CKF_USER_PIN_COUNT_LOW after one
  // What a view that lasts answers while the token is away.
  enum class Away : std::uint8_t {
    kUnavailable,    // to every call
    kRandomRefused,  // objects are answered as before, random bytes are not
    kUnnoticed,      // only a new view is refused
  } away = Away::kUnavailable;
};

class TokenUnderTest {
 public:
  // As a process finds it that has just started: opened, without a view, nothing of ours on it.
  static std::unique_ptr<TokenUnderTest> Make();
  virtual ~TokenUnderTest() = default;

  const Traits& traits() const { return traits_; }
  virtual token::Token& token() = 0;
  // This process ends without a Barrier and another one opens the token; without a view.
  virtual void Reopen() = 0;
  // What another process does while this one's view lasts, its Barrier included.
  virtual void CreateElsewhere(std::string_view application, std::string_view label,
                               std::string_view value) = 0;
  virtual void DestroyElsewhere(std::string_view application, std::string_view label) = 0;
  virtual void Unplug() = 0;
  virtual void Replug() = 0;

 protected:
  explicit TokenUnderTest(Traits traits) : traits_(std::move(traits)) {}
  Traits traits_;
};

// The token of this kind as it opened, in a view.
std::unique_ptr<TokenUnderTest> InView();

std::string TextOf(const base::SecretBytes& value);
// The labels of every object with this application, sorted, one space between; fails the test where
// one cannot be read.
std::string Labels(token::Token& token, std::string_view application);
// "value" of the one object with this label, "none", "2 of them", or "Unavailable" and the like.
std::string ValueOf(token::Token& token, std::string_view application, std::string_view label);
// Every byte there is, again and again; 0x00 first, or `first`.
base::Bytes EveryByte(std::size_t size, std::uint8_t first = 0);

}  // namespace hsmops::test
