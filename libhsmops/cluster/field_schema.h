// FieldSchema: the structural schema (OpenAPI v3, as a CustomResourceDefinition has it) of what a
// FieldReader reads, from the same description of a struct's fields.
//
// Nothing is required and nothing has a default here: the reader has both, and says more of a
// mistake than a schema can. Internal to cluster/. Not thread-safe.
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

class FieldSchema {
 public:
  FieldSchema();  // of an object without properties
  ~FieldSchema();
  FieldSchema(FieldSchema&&) noexcept;

  static constexpr bool kReading = true;  // older spellings are properties, too
  bool Has(std::string_view) const { return false; }
  nlohmann::json Take() &&;

  void operator()(std::string_view name, std::string&);
  void operator()(std::string_view name, bool&);
  void operator()(std::string_view name, int&);
  void operator()(std::string_view name, std::int64_t&);
  void operator()(std::string_view name, std::uint64_t&);
  void operator()(std::string_view name, std::chrono::seconds&);
  void operator()(std::string_view name, std::chrono::milliseconds&);
  void operator()(std::string_view name, std::optional<base::WallTime>&);
  void operator()(std::string_view name, std::vector<std::string>&);
  void operator()(std::string_view name, std::map<std::string, std::string>&);
  void operator()(std::string_view name, std::map<std::string, int>&);
  void Micro(std::string_view name, std::optional<base::WallTime>& value) { (*this)(name, value); }
  void IntOrString(std::string_view name, std::string&);
  void Always(std::string_view name, const std::string&);

  template <NamedEnum E>
  void operator()(std::string_view name, E&) {
    std::vector<std::string_view> names;
    for (const Named<E>& entry : NamesOf(E{})) {
      if (!entry.name.empty()) names.push_back(entry.name);
    }
    PutEnum(name, names);
  }
  template <typename T>
  void operator()(std::string_view name, std::optional<T>&) {
    T value{};
    (*this)(name, value);
  }
  template <typename T>
  void operator()(std::string_view name, std::vector<T>&) {
    T item{};
    FieldSchema inner;
    Describe(inner, item);
    PutList(name, std::move(inner));
  }
  template <typename T>
    requires(std::is_class_v<T>)
  void operator()(std::string_view name, T&) {
    T value{};
    FieldSchema inner;
    Describe(inner, value);
    Put(name, std::move(inner));
  }

 private:
  void Put(std::string_view name, FieldSchema inner);
  void PutList(std::string_view name, FieldSchema inner);
  void PutEnum(std::string_view name, const std::vector<std::string_view>& names);

  std::unique_ptr<nlohmann::json> schema_;
};

}  // namespace hsmops::cluster
