#include "cli/printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/exit_code.h"
#include "cli/jsonpath.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/yaml.h"

namespace hsmops::cli {

using base::Error;
using base::ErrorCode;
using base::Result;
using nlohmann::json;

namespace {

constexpr std::string_view kJsonPath = "jsonpath=";

// Columns on a terminal: one for each character. Names here are ASCII but for foreign ones.
std::size_t Width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string NameOf(const json& object) {
  std::string kind = object.value("kind", "object");
  std::transform(kind.begin(), kind.end(), kind.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const json metadata = object.value("metadata", json::object());
  const std::string version = object.value("apiVersion", "");
  return fmt::format("{}.{}/{}", kind, version.substr(0, version.find('/')),
                     metadata.value("name", ""));
}

}  // namespace

void Table::Print(std::ostream& out, bool wide, bool headers) const {
  const std::size_t columns = wide ? headers_.size() : std::min(wide_from_, headers_.size());
  std::vector<std::vector<std::string>> lines;
  if (headers) lines.push_back(headers_);
  for (const auto& row : rows_) {
    lines.emplace_back();
    for (const std::string& cell : row)
      lines.back().push_back(cell.empty() ? "-" : base::Printable(cell));
  }
  std::vector<std::size_t> widths(columns, 0);
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < columns && i < line.size(); ++i)
      widths[i] = std::max(widths[i], Width(line[i]));
  }
  for (const auto& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < columns && i < line.size(); ++i) {
      text += line[i];
      if (i + 1 < columns) text.append(widths[i] - Width(line[i]) + 3, ' ');
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out << text << "\n";
  }
}

Result<Format> FormatOf(const Context& context) {
  const std::string& output = context.globals().output;
  if (output.empty() || output == "table") return Format::kTable;
  if (output == "wide") return Format::kWide;
  if (output == "json") return Format::kJson;
  if (output == "yaml") return Format::kYaml;
  if (output == "name") return Format::kName;
  if (output.starts_with(kJsonPath)) return Format::kJsonPath;
  return Error(
      ErrorCode::kInvalid,
      fmt::format("-o \"{}\" is not one of table, wide, json, yaml, name, jsonpath=EXPRESSION",
                  output));
}

Result<void> CheckFormat(const Context& context) {
  HSM_TRY(const Format format, FormatOf(context));
  if (format != Format::kJsonPath) return {};
  const std::string_view expression =
      std::string_view(context.globals().output).substr(kJsonPath.size());
  if (expression.empty())
    return Error(ErrorCode::kInvalid, "-o jsonpath= wants an expression, as in jsonpath={.kind}");
  HSM_TRY(const std::string text, EvaluateJsonPath(expression, json::object()));
  (void)text;  // only whether it can be read
  return {};
}

std::ostream& Prose(Context& context) {
  const auto format = FormatOf(context);
  const bool people = format.ok() && (*format == Format::kTable || *format == Format::kWide);
  return people ? context.out() : context.err();
}

int Print(Context& context, const json& document, const std::function<void(bool wide)>& table) {
  const auto format = FormatOf(context);
  if (!format.ok()) return context.Fail(format.error());
  switch (*format) {
    case Format::kTable:
    case Format::kWide:
      table(*format == Format::kWide);
      return kDone;
    case Format::kJson:
      context.out() << document.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
      return kDone;
    case Format::kYaml: {
      const auto text = cluster::EmitYaml(document);
      if (!text.ok()) return context.Fail(text.error());
      context.out() << *text;
      return kDone;
    }
    case Format::kName:
      if (document.contains("items")) {
        for (const json& item : document["items"]) context.out() << NameOf(item) << "\n";
      } else {
        context.out() << NameOf(document) << "\n";
      }
      return kDone;
    case Format::kJsonPath: {
      const auto text = EvaluateJsonPath(
          std::string_view(context.globals().output).substr(kJsonPath.size()), document);
      if (!text.ok()) return context.Fail(text.error());
      context.out() << *text << (context.streams().out_is_terminal ? "\n" : "");
      return kDone;
    }
  }
  return kDone;
}

json ListOf(std::vector<json> items) {
  return {{"apiVersion", "v1"},
          {"kind", "List"},
          {"metadata", json::object()},
          {"items", std::move(items)}};
}

std::string Age(const std::optional<base::WallTime>& time, base::WallTime now) {
  if (!time) return "unknown";
  return base::FormatDuration(now - *time);
}

}  // namespace hsmops::cli
