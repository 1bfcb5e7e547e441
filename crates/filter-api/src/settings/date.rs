//! Points in time that a person writes, and how fields of answers spell them.

/// Seconds in a day.
const DAY: i64 = 86_400;

/// A point in time, by the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(i64);

impl Date {
    /// Reads `2026-11-30`, which is midnight UTC, or a date and a time with an offset (RFC 3339), whose fraction of a second is dropped.
    /// `None` for anything else, and for days and times that there are not.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = match text.split_once(['T', 't']) {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
            return None;
        }
        let midnight = days(year, month, day) * DAY;
        time.map_or(Some(0), seconds).map(|seconds| Self(midnight + seconds))
    }

    /// Seconds since 1970.
    pub fn unix(self) -> i64 {
        self.0
    }

    /// As HTTP writes dates (RFC 9110 §5.6.7).
    pub fn http(self) -> String {
        const NAMES: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (whole, second) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (year, month, day) = civil(whole);
        let name = NAMES[whole.rem_euclid(7) as usize];
        let month = MONTHS[(month - 1) as usize];
        format!("{name}, {day:02} {month} {year:04} {:02}:{:02}:{:02} GMT", second / 3600, second / 60 % 60, second % 60)
    }
}

/// Three numbers of so many digits.
fn numbers(text: &str, separator: char, lengths: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut found = [0; 3];
    for (number, length) in found.iter_mut().zip(lengths) {
        let part = parts.next().filter(|part| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

/// Seconds since midnight UTC of `10:20:30.5+02:00`.
fn seconds(time: &str) -> Option<i64> {
    let at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, offset) = time.split_at(at);
    let clock = match clock.split_once('.') {
        Some((clock, fraction)) => {
            let is_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
            is_fraction.then_some(clock)?
        }
        None => clock,
    };
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let offset = match offset {
        "Z" | "z" => 0,
        _ => {
            let [hours, minutes, _] = numbers(&format!("{}:00", offset.get(1..)?), ':', [2, 2, 2])?;
            let sign = if offset.starts_with('-') { -1 } else { 1 };
            (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))?
        }
    };
    // A leap second has no number of its own.
    (hour <= 23 && minute <= 59 && second <= 60).then_some(hour * 3600 + minute * 60 + second.min(59) - offset)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970, counted in years that begin in March, so that the day of a leap year is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day; the reverse of [`days`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_read_and_written() {
        for (text, unix, http) in [
            ("1970-01-01", 0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            ("2023-06-30T23:59:59Z", 1_688_169_599, "Fri, 30 Jun 2023 23:59:59 GMT"),
            ("2024-02-29t12:00:00.25+02:30", 1_709_199_000, "Thu, 29 Feb 2024 09:30:00 GMT"),
            ("2000-02-29", 951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            ("1969-12-31T23:00:00-00:30", -1800, "Wed, 31 Dec 1969 23:30:00 GMT"),
            ("9999-12-31T23:59:60z", 253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            let date = Date::parse(text);
            assert_eq!((date.map(Date::unix), date.map(Date::http).as_deref()), (Some(unix), Some(http)), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "2024",
            "2024-1-1",
            "2024-13-01",
            "2024-00-01",
            "2023-02-29",
            "1900-02-29",
            "2024-04-31",
            "24-01-01",
            "2024-01-01T",
            "2024-01-01T10:00:00",
            "2024-01-01T10:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T10:00:00.Z",
            "2024-01-01T10:00:00+2:00",
            "2024-01-01T10:00:00+24:00",
            "2024-01-01 10:00:00Z",
            "2024-01-01-01",
            "+024-01-01",
            "2024-01-01T10:00:00é",
        ] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
    }

    /// Every day of two cycles of the calendar.
    #[test]
    fn days_follow_each_other() {
        let mut last = days(1600, 1, 1) - 1;
        for year in 1600..2400 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month) {
                    last += 1;
                    assert_eq!((days(year, month, day), civil(last)), (last, (year, month, day)));
                }
            }
        }
    }
}
