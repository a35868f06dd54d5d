// FieldReader and FieldWriter: one description of a struct's fields serves both directions.
//
// A struct takes part by `template <class Fields> void Describe(Fields& fields, T& value)`, which
// names each member once: `fields("policy", value.policy);`. The reader leaves a member that the
// document lacks (or holds null) as it is, so defaults are the struct's own; it prunes what nobody
// asked for and collects every mistake with its path. The writer leaves out empty strings, lists,
// maps and optionals; numbers and booleans are always written.
//
// Internal to cluster/. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/cluster/enum_names.h"

namespace hsmops::cluster {

// How many mistakes an error lists before it says "and N more".
inline constexpr std::size_t kMaxListedProblems = 10;

// Everything that is wrong with one document, each with the path of its field.
class Problems {
 public:
  void Add(std::string_view path, std::string_view what);
  bool empty() const { return texts_.empty(); }
  // kInvalid with all of them, in the order found: "<path>: <what>; <path>: <what>".
  base::Result<void> Finish() const;

 private:
  std::vector<std::string> texts_;
};

class FieldReader {
 public:
  // `object` and `problems` must outlive the reader. An `object` that is no JSON object is itself
  // a problem, and reads as empty.
  FieldReader(const nlohmann::json& object, std::string path, Problems& problems);

  static constexpr bool kReading = true;
  Problems& problems() { return problems_; }
  std::string PathOf(std::string_view name) const;
  bool Has(std::string_view name) const { return Child(name) != nullptr; }

  void operator()(std::string_view name, std::string& value);
  void operator()(std::string_view name, bool& value);
  void operator()(std::string_view name, int& value);
  void operator()(std::string_view name, std::int64_t& value);
  void operator()(std::string_view name, std::uint64_t& value);
  void operator()(std::string_view name, std::chrono::seconds& value);
  // Seconds as a number, or text in Go's form: "500ms".
  void operator()(std::string_view name, std::chrono::milliseconds& value);
  void operator()(std::string_view name, std::optional<base::WallTime>& value);
  void operator()(std::string_view name, std::vector<std::string>& value);
  void operator()(std::string_view name, std::map<std::string, std::string>& value);
  void operator()(std::string_view name, std::map<std::string, int>& value);
  void Micro(std::string_view name, std::optional<base::WallTime>& value) { (*this)(name, value); }
  // Text, or a whole number, which is read as its digits.
  void IntOrString(std::string_view name, std::string& value);

  template <NamedEnum E>
  void operator()(std::string_view name, E& value) {
    std::string text;
    if (!ReadText(name, text)) return;
    auto parsed = FromName<E>(text);
    if (parsed.ok()) {
      value = *parsed;
    } else {
      problems_.Add(PathOf(name), parsed.error().message());
    }
  }
  template <typename T>
  void operator()(std::string_view name, std::optional<T>& value) {
    if (!Has(name)) return;
    value.emplace();
    (*this)(name, *value);
  }
  template <typename T>
  void operator()(std::string_view name, std::vector<T>& value) {
    const std::size_t count = CountOf(name);
    value.clear();
    for (std::size_t i = 0; i < count; ++i) {
      FieldReader item = Item(name, i);
      Describe(item, value.emplace_back());
    }
  }
  template <typename T>
    requires(std::is_class_v<T>)
  void operator()(std::string_view name, T& value) {
    if (!Has(name)) return;
    FieldReader inner(*Child(name), PathOf(name), problems_);
    Describe(inner, value);
  }

 private:
  const nlohmann::json* Child(std::string_view name) const;  // nullptr: absent or null
  bool ReadText(std::string_view name, std::string& text);
  std::optional<std::int64_t> ReadWhole(std::string_view name, std::int64_t least,
                                        std::int64_t most);
  std::size_t CountOf(std::string_view name);  // of a list; a problem and 0 when it is none
  FieldReader Item(std::string_view name, std::size_t index);

  const nlohmann::json& object_;
  std::string path_;
  Problems& problems_;
};

// Takes references that are not const, as the reader does, so that one Describe serves both; it
// changes nothing.
class FieldWriter {
 public:
  FieldWriter();  // an empty object
  ~FieldWriter();
  FieldWriter(FieldWriter&&) noexcept;

  static constexpr bool kReading = false;
  nlohmann::json Take() &&;

  void operator()(std::string_view name, std::string& value);
  void operator()(std::string_view name, bool& value);
  void operator()(std::string_view name, int& value);
  void operator()(std::string_view name, std::int64_t& value);
  void operator()(std::string_view name, std::uint64_t& value);
  void operator()(std::string_view name, std::chrono::milliseconds& value);
  void operator()(std::string_view name, std::chrono::seconds& value);
  void operator()(std::string_view name, std::optional<base::WallTime>& value);
  void operator()(std::string_view name, std::vector<std::string>& value);
  void operator()(std::string_view name, std::map<std::string, std::string>& value);
  void operator()(std::string_view name, std::map<std::string, int>& value);
  void Micro(std::string_view name, const std::optional<base::WallTime>& value);
  void IntOrString(std::string_view name, std::string& value) { (*this)(name, value); }
  // The string also when it is empty.
  void Always(std::string_view name, const std::string& value);

  template <NamedEnum E>
  void operator()(std::string_view name, E& value) {
    std::string text(Name(value));
    (*this)(name, text);
  }
  template <typename T>
  void operator()(std::string_view name, std::optional<T>& value) {
    if (value) (*this)(name, *value);
  }
  template <typename T>
  void operator()(std::string_view name, std::vector<T>& value) {
    for (T& item : value) {
      FieldWriter inner;
      Describe(inner, item);
      Append(name, std::move(inner));
    }
  }
  template <typename T>
    requires(std::is_class_v<T>)
  void operator()(std::string_view name, T& value) {
    FieldWriter inner;
    Describe(inner, value);
    Put(name, std::move(inner));
  }

 private:
  void Put(std::string_view name, FieldWriter inner);  // left out when empty
  void Append(std::string_view name, FieldWriter inner);

  std::unique_ptr<nlohmann::json> object_;
};

// A value as an error message shows it: `"text"` cut short and fit for a terminal, `5`, `a list`.
std::string Shown(const nlohmann::json& value);

}  // namespace hsmops::cluster
