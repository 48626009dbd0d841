using System.Globalization;

namespace Ashlar.Cli.Quickstart;

/// <summary>The words that the grammar of schedules takes from tables: numbers, times, days, months, lists of them.</summary>
static class ScheduleTables
{
    static readonly string[] small =
    [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
        "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    ];

    static readonly string[] tens = ["", "", "twenty", "thirty", "forty", "fifty"];

    static readonly string[] weekdays = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

    static readonly int[] fromMonday = [1, 2, 3, 4, 5, 6, 0];

    static readonly string[] months =
    [
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
    ];

    /// <summary>Every table by its name in the grammar.</summary>
    public static IReadOnlyDictionary<string, Table> All { get; } = new Dictionary<string, Table>
    {
        // Hours and minutes.
        ["hour"] = new("digits two word", Span(0, 23).Select(h => (string[])[Digits(h), Two(h), Word(h)])),
        ["minute"] = new("digits two", Span(0, 59).Select(m => (string[])[Digits(m), Two(m)])),
        ["spoken"] = new("word minute", Span(1, 59).Select(m => (string[])[m < 10 ? $"oh {Word(m)}" : Word(m), Digits(m)])),
        ["past"] = new("number minute before",
            Past().Select(past => (string[])[past.Number, Digits(past.Minute), Digits(60 - past.Minute)])),
        ["clock"] = new("number word hour before",
            Clock("").Select(c => (string[])[c.Number, c.Word, Digits(c.Hour), Before(c.Hour)])),
        ["noon"] = new("number digits word half bare hour before",
            from c in Clock("am", "pm")
            from blank in c.Number == c.Word ? [" "] : (string[])["", " "]
            let face = Digits((c.Hour + 11) % 12 + 1)
            select (string[])[c.Number, face, c.Word, blank + c.Period, c.Period, Digits(c.Hour), Before(c.Hour)]),
        ["part"] = new("number word period every plural hour before",
            from period in (string[])["morning", "afternoon", "evening", "night"]
            from c in Clock(period == "night" ? "at night" : $"in the {period}")
            select (string[])[c.Number, c.Word, c.Period, $"every {period}", period + "s", Digits(c.Hour), Before(c.Hour)]),
        ["hours2"] = new("a b first last list",
            from spelling in hourSpellings
            from a in Span(0, 22)
            from b in Span(a + 1, 23)
            select (string[])[spelling(a), spelling(b), Digits(a), Digits(b), List(a, b)]),
        ["hours3"] = new("a b c list",
            from spelling in hourSpellings[..4]
            from a in Span(0, 21)
            from b in Span(a + 1, 22)
            from c in Span(b + 1, 23)
            select (string[])[spelling(a), spelling(b), spelling(c), List(a, b, c)]),

        // Steps that divide what they count, so that they are as far apart at the end of the hour or day.
        ["minutestep"] = Steps([2, 3, 4, 5, 6, 10, 12, 15, 20, 30]),
        ["hourstep"] = Steps([2, 3, 4, 6, 8, 12]),
        ["daystep"] = Steps([2, 3, 4, 5, 6, 7, 10]),
        ["monthstep"] = Steps([2, 3, 4, 6]),

        // Days of the week.
        ["weekday"] = new("full plural short digit others",
            from day in Span(0, 6)
            from text in Short(day)
            select (string[])[weekdays[day], weekdays[day] + "s", text, Digits(day), Others(day)]),
        ["weekdays2"] = new("a b as bs a3 b3 list", fromMonday.SelectMany((a, i) => fromMonday[(i + 1)..].Select(b => (string[])
            [weekdays[a], weekdays[b], weekdays[a] + "s", weekdays[b] + "s", weekdays[a][..3], weekdays[b][..3], List(a, b)]))),
        ["weekdays3"] = new("a b c as bs cs a3 b3 c3 list",
            from i in Span(0, 4)
            from j in Span(i + 1, 5)
            from k in Span(j + 1, 6)
            let days = (int[])[fromMonday[i], fromMonday[j], fromMonday[k]]
            let names = days.Select(day => weekdays[day]).ToArray()
            select (string[])[.. names, .. names.Select(name => name + "s"), .. names.Select(name => name[..3]), List(days)]),
        ["weekspan"] = new("a b a3 b3 span",
            from i in Span(0, 5)
            from j in Span(i + 1, 6)
            let days = fromMonday[i..(j + 1)]
            where days.Length < 7
            let ends = (string[])[weekdays[days[0]], weekdays[days[^1]]]
            select (string[])[.. ends, .. ends.Select(end => end[..3]), Compact(days)]),

        // Days of the month, months, and days of the year.
        ["day"] = new("digits ordinal", Span(1, 31).SelectMany(d => Ordinals(d).Select(text => (string[])[Digits(d), text]))),
        ["days2"] = new("a b first last list",
            from a in Span(1, 30)
            from b in Span(a + 1, 31)
            from both in Ordinals(a).Zip(Ordinals(b))
            select (string[])[both.First, both.Second, Digits(a), Digits(b), List(a, b)]),
        ["days3"] = new("a b c list",
            from a in Span(1, 29)
            from b in Span(a + 1, 30)
            from c in Span(b + 1, 31)
            select (string[])[Suffixed(a), Suffixed(b), Suffixed(c), List(a, b, c)]),
        ["month"] = new("full short digits", Span(1, 12).Select(m => (string[])[months[m - 1], months[m - 1][..3], Digits(m)])),
        ["months2"] = new("a b list",
            from a in Span(1, 11)
            from b in Span(a + 1, 12)
            select (string[])[months[a - 1], months[b - 1], List(a, b)]),
        ["months3"] = new("a b c list",
            from a in Span(1, 10)
            from b in Span(a + 1, 11)
            from c in Span(b + 1, 12)
            select (string[])[months[a - 1], months[b - 1], months[c - 1], List(a, b, c)]),
        ["monthspan"] = new("a b a3 b3 span",
            from a in Span(1, 11)
            from b in Span(a + 1, 12)
            select (string[])[months[a - 1], months[b - 1], months[a - 1][..3], months[b - 1][..3], $"{a}-{b}"]),
        ["date"] = new("month short number digits suffixed ordinal",
            from m in Span(1, 12)
            from d in Span(1, DateTime.DaysInMonth(2024, m))
            select (string[])[months[m - 1], months[m - 1][..3], Digits(m), Digits(d), Suffixed(d), OrdinalWord(d)]),
    };

    // Ways to write an hour in "between 9 and 17"; the first four are the common ones.
    static Func<int, string>[] hourSpellings =>
    [
        Digits,
        h => Half(h, ""),
        h => $"{h}:00",
        Word,
        h => Half(h, " "),
        h => h == 12 ? "noon" : h == 0 ? "midnight" : Half(h, ""),
        h => $"{Word((h + 11) % 12 + 1)} {PartOf(h)}",
    ];

    static string PartOf(int hour) => hour switch
    {
        0 => "at night",
        < 12 => "in the morning",
        < 18 => "in the afternoon",
        _ => "in the evening",
    };

    static IEnumerable<int> Span(int first, int last) => Enumerable.Range(first, Math.Max(0, last - first + 1));

    static string Digits(int number) => number.ToString(CultureInfo.InvariantCulture);

    static string Two(int number) => number.ToString("00", CultureInfo.InvariantCulture);

    static string Before(int hour) => Digits((hour + 23) % 24);

    static string Word(int number) => number < 20 ? small[number]
        : number % 10 == 0 ? tens[number / 10] : $"{tens[number / 10]}-{small[number % 10]}";

    static string Suffixed(int day) => Digits(day) + (day / 10 == 1 ? "th" : (day % 10) switch
    {
        1 => "st",
        2 => "nd",
        3 => "rd",
        _ => "th",
    });

    static string OrdinalWord(int number) => number switch
    {
        1 => "first",
        2 => "second",
        3 => "third",
        5 => "fifth",
        8 => "eighth",
        9 => "ninth",
        12 => "twelfth",
        20 => "twentieth",
        30 => "thirtieth",
        > 20 => $"{tens[number / 10]}-{OrdinalWord(number % 10)}",
        _ => small[number] + "th",
    };

    static string[] Ordinals(int day) => [Suffixed(day), OrdinalWord(day)];

    static string[] Short(int day) => day switch
    {
        2 => ["tue", "tues"],
        4 => ["thu", "thurs"],
        _ => [weekdays[day][..3]],
    };

    static string Half(int hour, string blank) => $"{(hour % 12 == 0 ? 12 : hour % 12)}{blank}{(hour < 12 ? "am" : "pm")}";

    static Table Steps(int[] steps) => new("number digits ordinal", steps.SelectMany(step => (string[][])
        [[Digits(step), Digits(step), Suffixed(step)], [Word(step), Digits(step), OrdinalWord(step)]]));

    /// <summary>Hours as a clock face shows them, in digits and words, with what says which part of the day it is.</summary>
    static IEnumerable<(string Number, string Word, string Period, int Hour)> Clock(params string[] periods) =>
        from period in periods
        from n in Span(1, 12)
        let hour = Hour(n, period)
        where hour is not null
        from number in (string[])[Digits(n), Word(n)]
        select (number, Word(n), period, hour.Value);

    static int? Hour(int n, string period) => period switch
    {
        "" => n,
        "am" => n % 12,
        "pm" => n % 12 + 12,
        "in the morning" => n < 12 ? n : null,
        "in the afternoon" => n is 12 or <= 6 ? n % 12 + 12 : null,
        "in the evening" => n is >= 5 and <= 11 ? n + 12 : null,
        _ => n is >= 8 and <= 11 ? n + 12 : n == 12 ? 0 : null,
    };

    // The round ones, in words too, come more often than "13 minutes past".
    static IEnumerable<(string Number, int Minute)> Past() => Span(2, 29).Where(m => m != 15).Select(m => (Digits(m), m))
        .Concat(((int[])[5, 10, 20, 25, 5, 10, 20, 25]).SelectMany(m => ((string, int)[])[(Word(m), m), (Digits(m), m)]));

    static string List(params int[] numbers) => string.Join(',', numbers.Order());

    static string Others(int day) => Compact([.. Span(0, 6).Where(other => other != day)]);

    /// <summary>Numbers as cron lists them, neighbours as a span; Sunday is 0 and comes first.</summary>
    static string Compact(int[] numbers)
    {
        int[] sorted = [.. numbers.Order()];
        var parts = new List<string>();
        for (int i = 0; i < sorted.Length;)
        {
            int j = i;
            while (j + 1 < sorted.Length && sorted[j + 1] == sorted[j] + 1) j++;
            parts.Add(i == j ? Digits(sorted[i]) : $"{sorted[i]}-{sorted[j]}");
            i = j + 1;
        }
        return string.Join(',', parts);
    }
}
