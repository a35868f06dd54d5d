// Error: what went wrong, and what the caller may do next.
//
// The code says what may be done; the message says what happened, outermost first:
// "promoting worker-2: reading app/db: C_GetAttributeValue: CKR_DEVICE_REMOVED".
// A message never holds a secret's value or a PIN, nor anything computed from one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hsmops::base {

enum class ErrorCode : std::uint8_t {
  kNotFound,     // looked, and it is not there; never "could not look"
  kConflict,     // somebody else changed it: re-read, decide again
  kUnavailable,  // could not do it or could not look; says nothing about the thing itself
  kAuthFailed,   // a PIN or a credential was refused; never retried, tokens lock
  kReadOnly,     // this member may not write now (not the Primary, no grant, paused)
  kStaleEpoch,   // the caller belongs to an epoch that is over
  kCorrupt,      // it is there, but it is not what was written
  kInvalid,      // the request is wrong; the same request will always be refused
  kLimit,        // a named limit is reached
  kInDoubt,      // a write that may or may not have taken effect; its opId settles it
  kInternal,     // a defect of this program
};

// "kUnavailable" without the k, as it appears in messages and JSON: "Unavailable".
std::string_view Name(ErrorCode code);

class Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same error seen from one step further out: "<context>: <message>".
  Error Within(std::string_view context) const;

 private:
  ErrorCode code_;
  std::string message_;
};

}  // namespace hsmops::base
