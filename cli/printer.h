// Printer: a verb's answer as -o wants it: a table for people, or the object that the API serves.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/context.h"

namespace hsmops::cli {

class Table {
 public:
  // `wide_from`: columns from this one on are shown with -o wide only.
  explicit Table(std::vector<std::string> headers, std::size_t wide_from = SIZE_MAX)
      : headers_(std::move(headers)), wide_from_(wide_from) {}
  // Cells are made fit for a terminal here; an empty one prints as "-".
  void Row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  void Print(std::ostream& out, bool wide, bool headers) const;

 private:
  std::vector<std::string> headers_;
  std::size_t wide_from_;
  std::vector<std::vector<std::string>> rows_;
};

enum class Format : std::uint8_t { kTable, kWide, kJson, kYaml, kName, kJsonPath };

// kInvalid: -o is none of table, wide, json, yaml, name, jsonpath=….
base::Result<Format> FormatOf(const Context& context);

// kInvalid: -o is none of these, or its expression is none. Before a verb runs.
base::Result<void> CheckFormat(const Context& context);

// Where the sentences of a verb go that prints a document besides: to standard output where people
// read that, else to standard error.
std::ostream& Prose(Context& context);

// Prints `document` (an object or a List of them) in the formats for machines, or calls `table`. An
// exit code: kDone, or kUsage for a wrong -o.
int Print(Context& context, const nlohmann::json& document,
          const std::function<void(bool wide)>& table);

// A v1 List.
nlohmann::json ListOf(std::vector<nlohmann::json> items);

// "3m12s" ago as kubectl prints ages; "unknown" when there is no time.
std::string Age(const std::optional<base::WallTime>& time, base::WallTime now);

}  // namespace hsmops::cli
