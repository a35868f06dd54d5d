#include "libhsmops/base/clock.h"

#include <fmt/format.h>

#include <cctype>
#include <cmath>
#include <ctime>
#include <limits>

namespace hsmops::base {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

// The proleptic Gregorian calendar of C++20's <chrono>, which needs no time zone data for UTC.
WallTime FromCivil(int year, unsigned month, unsigned day, seconds of_day, microseconds fraction) {
  const std::chrono::sys_days days =
      std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day);
  return WallTime(days.time_since_epoch() + of_day + fraction);
}

struct Unit {
  std::string_view name;
  Duration length;
};
constexpr Unit kUnits[] = {{"ms", std::chrono::milliseconds(1)},
                           {"us", microseconds(1)},
                           {"ns", Duration(1)},
                           {"d", std::chrono::hours(24)},
                           {"h", std::chrono::hours(1)},
                           {"m", std::chrono::minutes(1)},
                           {"s", seconds(1)}};

}  // namespace

TimePoint SystemClock::Now() const {
  timespec ts{};
  HSM_CHECK(clock_gettime(CLOCK_BOOTTIME, &ts) == 0);
  return {seconds(ts.tv_sec) + Duration(ts.tv_nsec)};
}

WallTime SystemClock::Wall() const {
  return std::chrono::time_point_cast<microseconds>(std::chrono::system_clock::now());
}

void SystemClock::SleepFor(Duration duration) {
  if (duration.count() <= 0) return;
  timespec left{static_cast<time_t>(duration.count() / 1'000'000'000),
                duration.count() % 1'000'000'000};
  while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
  }
}

void ManualClock::Advance(Duration duration) {
  now_ = now_.load() + duration;
  wall_ = wall_.load() + std::chrono::duration_cast<microseconds>(duration);
}

std::string FormatMicroTime(WallTime time) {
  // Not time - floor(time): before the first whole second of its range that overflows.
  const std::int64_t fraction = time.time_since_epoch().count() % 1'000'000;
  std::string text = FormatTime(time);
  text.pop_back();
  return text + fmt::format(".{:06}Z", fraction < 0 ? fraction + 1'000'000 : fraction);
}

std::string FormatTime(WallTime time) {
  const auto second = std::chrono::floor<seconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(second);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(second - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

Result<WallTime> ParseTime(std::string_view text) {
  const Error wrong(ErrorCode::kInvalid, "not an RFC 3339 time such as 2026-01-02T15:04:05Z");
  std::size_t at = 0;
  const auto number = [&](int digits) -> int {
    int value = 0;
    for (int i = 0; i < digits; ++i, ++at) {
      if (at >= text.size() || std::isdigit(static_cast<unsigned char>(text[at])) == 0) return -1;
      value = value * 10 + (text[at] - '0');
    }
    return value;
  };
  const auto literal = [&](char lower) {
    if (at >= text.size() || std::tolower(static_cast<unsigned char>(text[at])) != lower)
      return false;
    ++at;
    return true;
  };
  const int year = number(4);
  if (year < 0 || !literal('-')) return wrong;
  const int month = number(2);
  if (month < 1 || month > 12 || !literal('-')) return wrong;
  const int day = number(2);
  const std::chrono::year_month_day date{
      std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
      std::chrono::day(static_cast<unsigned>(day < 0 ? 0 : day))};
  if (!date.ok() || !literal('t')) return wrong;
  const int hour = number(2);
  if (hour < 0 || hour > 23 || !literal(':')) return wrong;
  const int minute = number(2);
  if (minute < 0 || minute > 59 || !literal(':')) return wrong;
  const int second = number(2);
  if (second < 0 || second > 60) return wrong;
  microseconds fraction{0};
  if (at < text.size() && text[at] == '.') {
    ++at;
    int scale = 100'000;
    const std::size_t first = at;
    for (; at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0;
         ++at, scale /= 10) {
      fraction += microseconds((text[at] - '0') * scale);
    }
    if (at == first) return wrong;
  }
  seconds offset{0};
  if (!literal('z')) {
    if (at >= text.size() || (text[at] != '+' && text[at] != '-')) return wrong;
    const int sign = text[at++] == '-' ? -1 : 1;
    const int hours = number(2);
    if (hours < 0 || hours > 23 || !literal(':')) return wrong;
    const int minutes = number(2);
    if (minutes < 0 || minutes > 59) return wrong;
    offset = sign * (std::chrono::hours(hours) + std::chrono::minutes(minutes));
  }
  if (at != text.size()) return wrong;
  const seconds of_day = std::chrono::hours(hour) + std::chrono::minutes(minute) + seconds(second);
  return FromCivil(year, static_cast<unsigned>(month), static_cast<unsigned>(day), of_day - offset,
                   fraction);
}

std::string FormatDuration(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  if (ms < 0) return "0s";
  if (ms < 1000) return fmt::format("{}ms", ms);
  const auto total = ms / 1000;
  if (total < 120) return fmt::format("{}s", total);
  const auto two = [](long long big, const char* big_unit, long long small,
                      const char* small_unit) {
    return small == 0 ? fmt::format("{}{}", big, big_unit)
                      : fmt::format("{}{}{}{}", big, big_unit, small, small_unit);
  };
  if (total < 3600) return two(total / 60, "m", total % 60, "s");
  if (total < 86400) return two(total / 3600, "h", total % 3600 / 60, "m");
  return two(total / 86400, "d", total % 86400 / 3600, "h");
}

Result<Duration> ParseDuration(std::string_view text) {
  const Error wrong(ErrorCode::kInvalid, "not a duration such as 90s, 2h or 1h30m");
  if (text.empty()) return wrong;
  double total = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    double value = 0;
    double scale = 0;
    const std::size_t first = at;
    for (; at < text.size(); ++at) {
      if (text[at] == '.' && scale == 0) {
        scale = 1;
      } else if (std::isdigit(static_cast<unsigned char>(text[at])) != 0) {
        value = value * 10 + (text[at] - '0');
        scale *= 10;
      } else {
        break;
      }
    }
    if (at == first || (at == first + 1 && scale == 1)) return wrong;
    const Unit* unit = nullptr;
    for (const Unit& candidate : kUnits) {
      if (text.substr(at).starts_with(candidate.name)) {
        unit = &candidate;
        break;
      }
    }
    if (unit == nullptr) return wrong;
    at += unit->name.size();
    total += value / (scale == 0 ? 1 : scale) * static_cast<double>(unit->length.count());
  }
  if (!(total < 9e18)) return Error(ErrorCode::kInvalid, "duration is too large");
  return Duration(static_cast<std::int64_t>(std::llround(total)));
}

}  // namespace hsmops::base
