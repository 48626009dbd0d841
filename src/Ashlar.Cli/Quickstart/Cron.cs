using System.Globalization;
using System.Text;

namespace Ashlar.Cli.Quickstart;

/// <summary>A cron expression of five fields: minute, hour, day of the month, month, day of the week.</summary>
/// <remarks>
/// Numbers, <c>*</c>, lists, spans <c>a-b</c> and steps <c>*/n</c>, <c>a-b/n</c>; days of the week from 0, Sunday, to 6. Where
/// neither of the two day fields is <c>*</c>, a day that fits one of them fits, as POSIX says (crontab, IEEE Std 1003.1-2017).
/// </remarks>
sealed class Cron
{
    static readonly (string Name, int First, int Last)[] fields =
        [("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("day of the week", 0, 6)];

    static readonly string[] weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

    static readonly string[] months =
    [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
    ];

    readonly string[] texts;
    readonly ulong[] allowed;      // of each field: bit n where n fits

    Cron(string[] texts, ulong[] allowed) => (this.texts, this.allowed) = (texts, allowed);

    /// <summary>Reads an expression.</summary>
    /// <returns>Null where it is none; <paramref name="problem"/> then says why.</returns>
    public static Cron? TryParse(string text, out string? problem)
    {
        string[] texts = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        problem = texts.Length == fields.Length ? null : $"it has {texts.Length} fields, not 5";
        if (problem is not null) return null;
        var allowed = new ulong[fields.Length];
        for (int field = 0; field < fields.Length; field++)
            foreach (string item in texts[field].Split(','))
            {
                if (Bits(item, fields[field].First, fields[field].Last) is { } bits) allowed[field] |= bits;
                else
                {
                    problem = $"the {fields[field].Name} '{item}' is nothing from {fields[field].First} to {fields[field].Last}";
                    return null;
                }
            }
        return new(texts, allowed);
    }

    /// <summary>The first minutes after <paramref name="time"/> that fit; fewer where eight years hold fewer.</summary>
    public IEnumerable<DateTime> After(DateTime time)
    {
        var day = time.Date;
        for (int days = 0; days < 8 * 366; days++, day = day.AddDays(1))
        {
            if (!Fits(3, day.Month) || !FitsDay(day)) continue;
            for (int hour = 0; hour < 24; hour++)
                if (Fits(1, hour))
                    for (int minute = 0; minute < 60; minute++)
                        if (Fits(0, minute) && day.AddMinutes(hour * 60 + minute) is var next && next > time) yield return next;
        }
    }

    /// <summary>What the expression says, in English: "at 08:30, Monday to Friday".</summary>
    public string Describe()
    {
        var text = new StringBuilder(Clock());
        if (Number(texts[2]) is { } day && Number(texts[3]) is { } month && texts[4] == "*")
            return text.Append($", on {day} {months[month - 1]}").ToString();
        if (Days() is { } days) text.Append(", ").Append(days);
        if (texts[3] != "*") text.Append(", ").Append(Months());
        return text.ToString();
    }

    /// <inheritdoc/>
    public override string ToString() => string.Join(' ', texts);

    bool Fits(int field, int number) => (allowed[field] >> number & 1) != 0;

    bool FitsDay(DateTime day)
    {
        bool ofMonth = Fits(2, day.Day), ofWeek = Fits(4, (int)day.DayOfWeek);
        return texts[2] != "*" && texts[4] != "*" ? ofMonth || ofWeek : ofMonth && ofWeek;
    }

    string Clock()
    {
        var (minute, hour) = (texts[0], texts[1]);
        if (Number(minute) is not { } m)
        {
            string often = Every(minute, "minute");
            if (Number(hour) is { } one) return $"{often} from {one:00}:00 to {one:00}:59";
            return StepOf(hour) switch
            {
                (null, 1) => often,
                (var (first, last), 1) => $"{often} from {first:00}:00 to {last:00}:59",
                _ => $"{often}, {Every(hour, "hour")}",
            };
        }
        if (Numbers(hour) is { } hours) return "at " + Join([.. hours.Select(h => $"{h:00}:{m:00}")]);
        return m == 0 ? Every(hour, "hour") : $"{m} minute{(m == 1 ? "" : "s")} past {Every(hour, "hour")}";
    }

    string? Days()
    {
        string? ofMonth = texts[2] == "*" ? null
            : StepOf(texts[2]) is (null, var step) ? $"every {step} days of the month"
            : $"on day {Words(texts[2], n => n.ToString(CultureInfo.InvariantCulture))} of the month";
        string? ofWeek = texts[4] == "*" ? null : Weekdays();
        return ofMonth is null ? ofWeek : ofWeek is null ? ofMonth : $"{ofMonth} or {ofWeek}";
    }

    // From Monday on, as people count; three and more neighbours are "Friday to Sunday".
    string Weekdays()
    {
        int[] days = [.. Enumerable.Range(0, 7).Where(i => Fits(4, (i + 1) % 7))];
        var parts = new List<string>();
        for (int i = 0, j; i < days.Length; i = j)
        {
            for (j = i + 1; j < days.Length && days[j] == days[j - 1] + 1;) j++;
            if (j - i > 2) parts.Add($"{Name(days[i])} to {Name(days[j - 1])}");
            else parts.AddRange(days[i..j].Select(Name));
        }
        return Join([.. parts]);

        static string Name(int fromMonday) => weekdays[(fromMonday + 1) % 7];
    }

    string Months() =>
        StepOf(texts[3]) is (null, var step) ? $"every {step} months" : "in " + Words(texts[3], n => months[n - 1]);

    static string Every(string field, string unit) => StepOf(field) switch
    {
        (null, 1) => $"every {unit}",
        (null, var step) => $"every {step} {unit}s",
        (var (first, last), 1) => $"every {unit} from {first} to {last}",
        (var (first, last), var step) => $"every {step} {unit}s from {first} to {last}",
        _ => $"at {unit}s {field}",
    };

    // "*/2" is (null, 2), "9-17" is ((9, 17), 1); null for lists and numbers.
    static ((int First, int Last)? Span, int Step)? StepOf(string field)
    {
        string[] parts = field.Split('/');
        int step = parts.Length == 2 ? Number(parts[1]) ?? 0 : 1;
        if (parts[0] == "*") return (null, step);
        string[] ends = parts[0].Split('-');
        return ends.Length == 2 && Number(ends[0]) is { } first && Number(ends[1]) is { } last ? ((first, last), step) : null;
    }

    static string Words(string field, Func<int, string> word) => Join(
    [
        .. field.Split(',').Select(item =>
            StepOf(item) is (var (first, last), 1) ? $"{word(first)} to {word(last)}" : Number(item) is { } n ? word(n) : item),
    ]);

    static string Join(string[] words) =>
        words.Length < 2 ? string.Concat(words) : $"{string.Join(", ", words[..^1])} and {words[^1]}";

    static int[]? Numbers(string field)
    {
        int?[] numbers = [.. field.Split(',').Select(Number)];
        return numbers.Contains(null) ? null : [.. numbers.Select(number => number!.Value)];
    }

    static ulong? Bits(string item, int first, int last)
    {
        string[] parts = item.Split('/');
        if (parts.Length > 2 || (parts.Length == 2 && Number(parts[1]) is null or 0)) return null;
        int step = parts.Length == 2 ? Number(parts[1])!.Value : 1;
        string[] ends = parts[0].Split('-');
        int? low = parts[0] == "*" ? first : Number(ends[0]);
        int? high = parts[0] == "*" ? last : ends.Length == 1 ? low : Number(ends[1]);
        if (ends.Length > 2 || low is null || high is null || low < first || high > last || low > high) return null;
        if (parts.Length == 2 && parts[0] != "*" && ends.Length == 1) return null;
        ulong bits = 0;
        for (int n = low.Value; n <= high; n += step) bits |= 1UL << n;
        return bits;
    }

    static int? Number(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;
}
