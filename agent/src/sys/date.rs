//! Calendar dates in UTC. Pure arithmetic; no time zone database.

/// A moment taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    second_of_day: i64,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

impl Date {
    /// Takes apart a time in ms since 1970.
    pub fn from_ms(wall_ms: i64) -> Date {
        let seconds = wall_ms.div_euclid(1000);
        let days = seconds.div_euclid(86_400);
        // Years begin in March here, so that the leap day is the last one.
        let since_0000 = days + 719_468;
        let era = since_0000.div_euclid(146_097);
        let day_of_era = since_0000.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = (march_month + 2) % 12;
        Date {
            year: era * 400 + year_of_era + i64::from(month < 2),
            month: month as usize,
            day: day_of_year - (153 * march_month + 2) / 5 + 1,
            weekday: days.rem_euclid(7) as usize,
            second_of_day: seconds.rem_euclid(86_400),
        }
    }

    /// As `java.util.Date` prints it: `Mon Jul 06 10:00:00 UTC 2026`.
    pub fn java(&self) -> String {
        let (hour, minute, second) = self.clock();
        let (weekday, month) = (WEEKDAYS[self.weekday], MONTHS[self.month]);
        let (day, year) = (self.day, self.year);
        format!("{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year}")
    }

    /// `2026-07-06 10:00 UTC`.
    pub fn minutes(&self) -> String {
        let (hour, minute, _) = self.clock();
        let (year, month, day) = (self.year, self.month + 1, self.day);
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
    }

    /// `2026-07-06T10:00:00Z`.
    pub fn seconds(&self) -> String {
        let (hour, minute, second) = self.clock();
        let (year, month, day) = (self.year, self.month + 1, self.day);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    fn clock(&self) -> (i64, i64, i64) {
        (self.second_of_day / 3600, self.second_of_day / 60 % 60, self.second_of_day % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_javas() {
        for (ms, text) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (1_783_332_000_000, "Mon Jul 06 10:00:00 UTC 2026"),
            (951_782_400_000, "Tue Feb 29 00:00:00 UTC 2000"),
            (4_107_542_399_999, "Sun Feb 28 23:59:59 UTC 2100"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
        ] {
            assert_eq!(Date::from_ms(ms).java(), text);
        }
        assert_eq!(Date::from_ms(1_783_332_060_000).minutes(), "2026-07-06 10:01 UTC");
        assert_eq!(Date::from_ms(1_783_332_061_000).seconds(), "2026-07-06T10:01:01Z");
    }
}
