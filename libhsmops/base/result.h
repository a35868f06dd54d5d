// Result<T>: a value or an Error. Ignoring one is a compiler warning, and warnings are errors here.
//
// A thin class over tl::expected, because an alias would lose [[nodiscard]].
#pragma once

#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

#include "libhsmops/base/check.h"
#include "libhsmops/base/error.h"

namespace hsmops::base {

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(Error error) : state_(tl::unexpect, std::move(error)) {}  // NOLINT: implicit on purpose

  // From a value, or from anything that T is built from without being asked.
  template <typename U = T>
    requires(!std::is_void_v<T> && std::is_convertible_v<U, T> &&
             !std::is_same_v<std::remove_cvref_t<U>, Result> &&
             !std::is_same_v<std::remove_cvref_t<U>, Error>)
  Result(U&& value) : state_(std::forward<U>(value)) {}  // NOLINT: implicit on purpose

  Result()
    requires(std::is_void_v<T>)
  = default;

  bool ok() const { return state_.has_value(); }
  explicit operator bool() const { return ok(); }

  const Error& error() const {
    HSM_CHECK(!ok());
    return state_.error();
  }
  ErrorCode code() const { return error().code(); }
  bool Is(ErrorCode code) const { return !ok() && error().code() == code; }

  template <typename U = T>
    requires(!std::is_void_v<U>)
  U& operator*() & {
    HSM_CHECK(ok());
    return *state_;
  }
  template <typename U = T>
    requires(!std::is_void_v<U>)
  const U& operator*() const& {
    HSM_CHECK(ok());
    return *state_;
  }
  template <typename U = T>
    requires(!std::is_void_v<U>)
  U&& operator*() && {
    HSM_CHECK(ok());
    return *std::move(state_);
  }
  template <typename U = T>
    requires(!std::is_void_v<U>)
  U* operator->() {
    HSM_CHECK(ok());
    return &*state_;
  }
  template <typename U = T>
    requires(!std::is_void_v<U>)
  const U* operator->() const {
    HSM_CHECK(ok());
    return &*state_;
  }

  // The same result, its error seen from one step further out.
  Result Within(std::string_view context) && {
    if (ok()) return std::move(*this);
    return error().Within(context);
  }

 private:
  tl::expected<T, Error> state_;
};

}  // namespace hsmops::base

#define HSM_CONCAT_INNER(a, b) a##b
#define HSM_CONCAT(a, b) HSM_CONCAT_INNER(a, b)

// HSM_TRY(auto x, Expression()); declares x as the value, or returns the error.
#define HSM_TRY(declaration, ...) \
  HSM_TRY_NAMED(HSM_CONCAT(hsm_try_, __LINE__), declaration, __VA_ARGS__)
#define HSM_TRY_NAMED(name, declaration, ...) \
  auto name = (__VA_ARGS__);                  \
  if (!name.ok()) return name.error();        \
  declaration = *std::move(name)

// HSM_RETURN_IF_ERROR(Expression()); returns the error of a Result whose value is not wanted.
#define HSM_RETURN_IF_ERROR(...)                                                             \
  do {                                                                                       \
    if (const auto& hsm_status = (__VA_ARGS__); !hsm_status.ok()) return hsm_status.error(); \
  } while (false)
