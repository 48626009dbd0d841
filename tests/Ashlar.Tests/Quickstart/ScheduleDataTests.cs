using Ashlar.Cli.Quickstart;

namespace Ashlar.Tests.Quickstart;

public class ScheduleDataTests
{
    const int Many = 12_000;

    static readonly DateTime start = new(2026, 1, 1);

    static readonly string[] months = ["january", "february", "march", "april", "may", "june", "july", "august", "september",
        "october", "november", "december"];

    static readonly ScheduleExample[] examples = [.. Enumerable.Range(0, Many).Select(i => ScheduleData.Draw(seed: 3, i))];

    [Fact]
    public void Grammar_HasThousandsOfPatterns()
    {
        Assert.True(ScheduleData.Grammar.CountPatterns("schedule") > 1_000_000);
        Assert.True(examples.Select(example => example.Cron).Distinct().Count() > Many / 3);
    }

    [Fact]
    public void Draw_GivesValidExpressions_AndTextAsUsersTypeIt() => Assert.All(examples, example =>
    {
        Assert.NotNull(Cron.TryParse(example.Cron, out _));
        Assert.Equal(example.English, ScheduleData.Normalise(example.English));
    });

    [Fact]
    public void Draw_NeverGivesOnePhrasingTwoMeanings() =>
        Assert.All(examples.GroupBy(example => example.English),
            group => Assert.Single(group.Select(example => example.Cron).Distinct()));

    // Facts that the words alone tell, checked on the times at which the expressions fire.
    [Fact]
    public void Meanings_FireWhenTheWordsSay()
    {
        int half = 0, week = 0, weekend = 0, month = 0, quarter = 0, digits = 0;
        foreach (var (english, cron, _) in examples.Take(2500))
        {
            string[] words = english.Split(' ', ',');
            bool Says(params string[] any) =>
                any.Any(phrase => $" {string.Join(' ', words)} ".Contains($" {phrase} ", StringComparison.Ordinal));
            var fires = new Lazy<DateTime[]>(() => [.. PlainCron.Fires(cron, start, days: 366).Take(200)]);
            bool excepts = Says("except", "but");
            if (Says("half past")) Check(ref half, time => time.Minute == 30);
            if (Says("every weekday", "on weekdays", "workdays", "working day", "business days") && !excepts)
                Check(ref week, time => time.DayOfWeek is not (DayOfWeek.Saturday or DayOfWeek.Sunday));
            if (Says("weekends", "every weekend") && !excepts)
                Check(ref weekend, time => time.DayOfWeek is DayOfWeek.Saturday or DayOfWeek.Sunday);
            int[] named = [.. Enumerable.Range(1, 12).Where(number => words.Contains(months[number - 1]))];
            if (named.Length == 1 && !Says("from", "between")) Check(ref month, time => time.Month == named[0]);
            if (Says("every 15 minutes", "every quarter of an hour") && fires.Value.Length > 3)
                Check(ref quarter, time => time.Minute % 15 == 0);
            if (words.FirstOrDefault(word => word.Length == 5 && word[2] == ':' && english.Split(':').Length == 2) is { } clock
                && !Says("am", "pm"))
                Check(ref digits, time => clock is [var a, var b, ':', ..] && time.Hour == (a - '0') * 10 + b - '0'
                    && time.Minute == int.Parse(clock[3..], null));

            void Check(ref int count, Func<DateTime, bool> fact)
            {
                if (!fires.Value.All(fact)) Assert.Fail($"'{english}' became '{cron}'");
                count++;
            }
        }
        Assert.All((int[])[half, week, weekend, month, quarter, digits],
            count => Assert.True(count > 10, $"only {count} examples were checked"));
    }

    [Fact]
    public void HeldOut_IsNeverTrainedOn()
    {
        var trained = examples.Where(example => example.Portion == Portion.Training)
            .Select(example => example.English).ToHashSet();
        long next = 0;
        for (int i = 0; i < 500; i++)
        {
            Assert.DoesNotContain(ScheduleData.Draw(99, ref next, Portion.Phrasing).English, trained);
            Assert.DoesNotContain(ScheduleData.Draw(98, ref next, Portion.Combination).English, trained);
        }
    }

    [Fact]
    public void Combinations_HoldOutPatternsWithTimes()
    {
        var (trained, held) = (new HashSet<(ulong, string)>(), new HashSet<(ulong, string)>());
        for (int i = 0; i < Many; i++)
        {
            var sentence = ScheduleData.Grammar.Draw(new(3, i));
            string[] fields = examples[i].Cron.Split(' ');
            (examples[i].Portion switch
            {
                Portion.Training => trained,
                Portion.Combination => held,
                _ => [],
            }).Add((sentence.Pattern, $"{fields[0]} {fields[1]}"));
        }
        Assert.True(held.Count > Many / 100);
        Assert.Empty(held.Intersect(trained));
        // The patterns themselves are known.
        Assert.True(held.Select(pair => pair.Item1).Intersect(trained.Select(pair => pair.Item1)).Any());
    }

    [Theory]
    [InlineData("Every  Weekday at Half Past Eight.", "every weekday at half past eight")]
    [InlineData("at 8 p.m. daily", "at 8 pm daily")]
    [InlineData("daily at 8 P.M.", "daily at 8 pm")]
    [InlineData("\"every day at twenty five past nine!\"", "every day at twenty-five past nine")]
    [InlineData("new year\u2019s day", "new year's day")]
    public void Normalise_WritesAsTheGrammarDoes(string typed, string written) =>
        Assert.Equal(written, ScheduleData.Normalise(typed));
}
