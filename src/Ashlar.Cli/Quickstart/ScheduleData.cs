using System.Text.RegularExpressions;

namespace Ashlar.Cli.Quickstart;

/// <summary>Which examples a schedule's description and its cron expression may serve.</summary>
enum Portion
{
    /// <summary>May be trained on.</summary>
    Training,
    /// <summary>Held out: no training example has this phrasing.</summary>
    Phrasing,
    /// <summary>Held out: training has the pattern of this sentence, and has its time, but never both together.</summary>
    Combination,
}

/// <summary>A description of a schedule, the cron expression it means, and what it may be used for.</summary>
/// <param name="English">In lower case, as <see cref="ScheduleData.Normalise"/> leaves it.</param>
/// <param name="Cron">Five fields.</param>
/// <param name="Portion">Training, or held out.</param>
readonly record struct ScheduleExample(string English, string Cron, Portion Portion);

/// <summary>Endless English descriptions of schedules with their cron expressions, by the grammar of schedules.grammar.</summary>
/// <remarks>
/// What is held out depends on the example alone: a hash of the phrasing, and a hash of its pattern together with minute and
/// hour. So no training run, however long, meets a held-out example. docs/guides/quickstart-data.md says more.
/// </remarks>
static partial class ScheduleData
{
    const uint Share = 20;         // one in this many is held out by each of the two hashes

    /// <summary>The grammar.</summary>
    public static Grammar Grammar { get; } = new(Text(), ScheduleTables.All);

    /// <summary>The example with this number; equal seeds and numbers give equal examples.</summary>
    public static ScheduleExample Draw(long seed, long number)
    {
        var sentence = Grammar.Draw(new(seed, number));
        string cron = string.Join(' ', sentence.Meaning.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        return new(sentence.English.Trim(), cron, PortionOf(sentence, cron));
    }

    /// <summary>The first example of a portion from <paramref name="number"/> on, which becomes the number after it.</summary>
    public static ScheduleExample Draw(long seed, ref long number, Portion portion)
    {
        while (true)
            if (Draw(seed, number++) is var example && example.Portion == portion) return example;
    }

    /// <summary>What users type, as the grammar writes it: lower case, single blanks, "am", "twenty-five", no full
    /// stop.</summary>
    public static string Normalise(string text)
    {
        text = Blanks().Replace(text.ToLowerInvariant(), " ").Replace('\u2019', '\'');
        text = HalfOfDay().Replace(text, "$1m");
        return NumberOfTwoWords().Replace(text, "$1-$2").Trim(' ', '.', '!', '?', ',', '"');
    }

    static Portion PortionOf(Sentence sentence, string cron)
    {
        if (Hash(sentence.English.Trim()) % Share == 0) return Portion.Phrasing;
        // A pattern without words of tables has one time only; without it the time would not be left out but the pattern.
        if (sentence.TableWords < 2) return Portion.Training;
        string[] fields = cron.Split(' ');
        return Hash($"{sentence.Pattern:x} {fields[0]} {fields[1]}") % Share == 0 ? Portion.Combination : Portion.Training;
    }

    // FNV-1a over UTF-16, with its high bits folded in.
    static ulong Hash(string text)
    {
        ulong hash = 14695981039346656037;
        foreach (char letter in text) hash = (hash ^ letter) * 1099511628211;
        return hash ^ (hash >> 32);
    }

    static string Text()
    {
        using var stream = typeof(ScheduleData).Assembly.GetManifestResourceStream("schedules.grammar")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    [GeneratedRegex(@"\s+")]
    internal static partial Regex Blanks();

    [GeneratedRegex(@"\b([ap])\.\s?m\b\.?")]
    internal static partial Regex HalfOfDay();

    [GeneratedRegex(@"\b(twenty|thirty|forty|fifty) " + "(one|two|three|four|five|six|seven|eight|nine"
        + @"|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)\b")]
    internal static partial Regex NumberOfTwoWords();
}
