#include "libhsmops/cluster/fields.h"

#include <limits>
#include <nlohmann/json.hpp>

namespace hsmops::cluster {
namespace {

using nlohmann::json;

// How much of a string an error message shows.
constexpr std::size_t kShownBytes = 64;

}  // namespace

std::string Shown(const json& value) {
  switch (value.type()) {
    case json::value_t::string: {
      const auto& text = value.get_ref<const std::string&>();
      const std::string head = base::Printable(std::string_view(text).substr(0, kShownBytes));
      return text.size() > kShownBytes ? fmt::format("\"{}…\"", head) : fmt::format("\"{}\"", head);
    }
    case json::value_t::array:
      return "a list";
    case json::value_t::object:
      return "a map";
    default:
      return value.dump();
  }
}

void Problems::Add(std::string_view path, std::string_view what) {
  texts_.push_back(path.empty() ? std::string(what) : fmt::format("{}: {}", path, what));
}

base::Result<void> Problems::Finish() const {
  if (texts_.empty()) return {};
  std::string all;
  for (std::size_t i = 0; i < texts_.size() && i < kMaxListedProblems; ++i) {
    if (i > 0) all += "; ";
    all += texts_[i];
  }
  if (texts_.size() > kMaxListedProblems) {
    all += fmt::format("; and {} more", texts_.size() - kMaxListedProblems);
  }
  return base::Error(base::ErrorCode::kInvalid, std::move(all));
}

FieldReader::FieldReader(const json& object, std::string path, Problems& problems)
    : object_(object), path_(std::move(path)), problems_(problems) {
  if (!object.is_object()) problems.Add(path_, Shown(object) + " is not a map");
}

std::string FieldReader::PathOf(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

const json* FieldReader::Child(std::string_view name) const {
  if (!object_.is_object()) return nullptr;
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

bool FieldReader::ReadText(std::string_view name, std::string& text) {
  const json* child = Child(name);
  if (child == nullptr) return false;
  if (!child->is_string()) {
    problems_.Add(
        PathOf(name),
        Shown(*child) +
            (child->is_boolean()
                 ? " is not a string (YAML reads On, Off, Yes and No so: write the word in quotes)"
                 : " is not a string (a string that looks like something else needs quotes)"));
    return false;
  }
  text = child->get<std::string>();
  return true;
}

std::optional<std::int64_t> FieldReader::ReadWhole(std::string_view name, std::int64_t least,
                                                   std::int64_t most) {
  const json* child = Child(name);
  if (child == nullptr) return std::nullopt;
  if (!child->is_number_integer()) {
    problems_.Add(PathOf(name), Shown(*child) + " is not a whole number");
    return std::nullopt;
  }
  const bool too_large =
      child->is_number_unsigned() && child->get<std::uint64_t>() > static_cast<std::uint64_t>(most);
  if (too_large || child->get<std::int64_t>() < least || child->get<std::int64_t>() > most) {
    problems_.Add(PathOf(name),
                  fmt::format("{} is not within {} to {}", child->dump(), least, most));
    return std::nullopt;
  }
  return child->get<std::int64_t>();
}

std::size_t FieldReader::CountOf(std::string_view name) {
  const json* child = Child(name);
  if (child == nullptr) return 0;
  if (child->is_array()) return child->size();
  problems_.Add(PathOf(name), Shown(*child) + " is not a list");
  return 0;
}

FieldReader FieldReader::Item(std::string_view name, std::size_t index) {
  return {(*Child(name))[index], fmt::format("{}[{}]", PathOf(name), index), problems_};
}

void FieldReader::operator()(std::string_view name, std::string& value) {
  (void)ReadText(name, value);
}

void FieldReader::IntOrString(std::string_view name, std::string& value) {
  const json* child = Child(name);
  if (child != nullptr && child->is_number_integer()) {
    value = child->dump();
  } else {
    (*this)(name, value);
  }
}

void FieldReader::operator()(std::string_view name, bool& value) {
  const json* child = Child(name);
  if (child == nullptr) return;
  if (child->is_boolean()) {
    value = child->get<bool>();
  } else {
    problems_.Add(PathOf(name), Shown(*child) + " is not true or false");
  }
}

void FieldReader::operator()(std::string_view name, int& value) {
  using Limits = std::numeric_limits<std::int32_t>;
  if (const auto read = ReadWhole(name, Limits::min(), Limits::max()))
    value = static_cast<int>(*read);
}

void FieldReader::operator()(std::string_view name, std::int64_t& value) {
  using Limits = std::numeric_limits<std::int64_t>;
  if (const auto read = ReadWhole(name, Limits::min(), Limits::max())) value = *read;
}

void FieldReader::operator()(std::string_view name, std::uint64_t& value) {
  const json* child = Child(name);
  if (child != nullptr && child->is_number_unsigned()) {
    value = child->get<std::uint64_t>();
  } else if (const auto read = ReadWhole(name, 0, std::numeric_limits<std::int64_t>::max())) {
    value = static_cast<std::uint64_t>(*read);
  }
}

void FieldReader::operator()(std::string_view name, std::chrono::seconds& value) {
  using Limits = std::numeric_limits<std::int32_t>;
  if (const auto read = ReadWhole(name, Limits::min(), Limits::max()))
    value = std::chrono::seconds(*read);
}

void FieldReader::operator()(std::string_view name, std::chrono::milliseconds& value) {
  const json* child = Child(name);
  if (child == nullptr) return;
  if (child->is_number_integer()) {
    std::chrono::seconds whole{0};
    (*this)(name, whole);
    value = whole;
    return;
  }
  if (!child->is_string()) {
    problems_.Add(PathOf(name),
                  Shown(*child) + " is neither whole seconds nor text like \"500ms\"");
    return;
  }
  const auto read = base::ParseDuration(child->get<std::string>());
  if (read.ok()) {
    value = std::chrono::duration_cast<std::chrono::milliseconds>(*read);
  } else {
    problems_.Add(PathOf(name), fmt::format("{} is {}", Shown(*child), read.error().message()));
  }
}

void FieldReader::operator()(std::string_view name, std::optional<base::WallTime>& value) {
  std::string text;
  if (!ReadText(name, text)) return;
  auto time = base::ParseTime(text);
  if (time.ok()) {
    value = *time;
  } else {
    problems_.Add(PathOf(name), fmt::format("{} is {}", Shown(text), time.error().message()));
  }
}

void FieldReader::operator()(std::string_view name, std::vector<std::string>& value) {
  const std::size_t count = CountOf(name);
  value.clear();
  for (std::size_t i = 0; i < count; ++i) {
    const json& item = (*Child(name))[i];
    if (item.is_string()) {
      value.push_back(item.get<std::string>());
    } else {
      problems_.Add(fmt::format("{}[{}]", PathOf(name), i), Shown(item) + " is not a string");
    }
  }
}

void FieldReader::operator()(std::string_view name, std::map<std::string, std::string>& value) {
  if (!Has(name)) return;
  FieldReader inner(*Child(name), PathOf(name), problems_);
  value.clear();
  if (!inner.object_.is_object()) return;
  for (const auto& [key, item] : inner.object_.items()) inner(key, value[key]);
}

void FieldReader::operator()(std::string_view name, std::map<std::string, int>& value) {
  if (!Has(name)) return;
  FieldReader inner(*Child(name), PathOf(name), problems_);
  value.clear();
  if (!inner.object_.is_object()) return;
  for (const auto& [key, item] : inner.object_.items()) inner(key, value[key]);
}

FieldWriter::FieldWriter() : object_(std::make_unique<json>(json::object())) {}
FieldWriter::~FieldWriter() = default;
FieldWriter::FieldWriter(FieldWriter&&) noexcept = default;

json FieldWriter::Take() && { return std::move(*object_); }

void FieldWriter::Always(std::string_view name, const std::string& value) {
  (*object_)[std::string(name)] = value;
}

void FieldWriter::operator()(std::string_view name, std::string& value) {
  if (!value.empty()) Always(name, value);
}
void FieldWriter::operator()(std::string_view name, bool& value) {
  (*object_)[std::string(name)] = value;
}
void FieldWriter::operator()(std::string_view name, int& value) {
  (*object_)[std::string(name)] = value;
}
void FieldWriter::operator()(std::string_view name, std::int64_t& value) {
  (*object_)[std::string(name)] = value;
}
void FieldWriter::operator()(std::string_view name, std::uint64_t& value) {
  (*object_)[std::string(name)] = value;
}
void FieldWriter::operator()(std::string_view name, std::chrono::seconds& value) {
  (*object_)[std::string(name)] = value.count();
}
void FieldWriter::operator()(std::string_view name, std::chrono::milliseconds& value) {
  if (value.count() % 1000 == 0) {
    (*object_)[std::string(name)] = value.count() / 1000;
  } else {
    (*object_)[std::string(name)] = fmt::format("{}ms", value.count());
  }
}
void FieldWriter::operator()(std::string_view name, std::optional<base::WallTime>& value) {
  if (value) Always(name, base::FormatTime(*value));
}
void FieldWriter::Micro(std::string_view name, const std::optional<base::WallTime>& value) {
  if (value) Always(name, base::FormatMicroTime(*value));
}
void FieldWriter::operator()(std::string_view name, std::vector<std::string>& value) {
  if (!value.empty()) (*object_)[std::string(name)] = value;
}
void FieldWriter::operator()(std::string_view name, std::map<std::string, std::string>& value) {
  if (!value.empty()) (*object_)[std::string(name)] = value;
}
void FieldWriter::operator()(std::string_view name, std::map<std::string, int>& value) {
  if (!value.empty()) (*object_)[std::string(name)] = value;
}
void FieldWriter::Put(std::string_view name, FieldWriter inner) {
  if (!inner.object_->empty()) (*object_)[std::string(name)] = std::move(*inner.object_);
}
void FieldWriter::Append(std::string_view name, FieldWriter inner) {
  (*object_)[std::string(name)].push_back(std::move(*inner.object_));
}

}  // namespace hsmops::cluster
