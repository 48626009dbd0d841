using Ashlar.Cli.Quickstart;

namespace Ashlar.Tests.Quickstart;

public class CronTests
{
    static readonly DateTime start = new(2026, 1, 1);   // a Thursday

    static Cron Parse(string text) => Cron.TryParse(text, out string? problem) ?? throw new ArgumentException(problem);

    // The first six are the examples of crontab(5) and of POSIX; 1 February 2026 is a Sunday.
    [Theory]
    [InlineData("5 0 * * *", "2026-01-01 00:05", "2026-01-02 00:05")]
    [InlineData("15 14 1 * *", "2026-01-01 14:15", "2026-02-01 14:15")]
    [InlineData("0 22 * * 1-5", "2026-01-01 22:00", "2026-01-02 22:00", "2026-01-05 22:00")]
    [InlineData("23 0-23/2 * * *", "2026-01-01 00:23", "2026-01-01 02:23")]
    [InlineData("5 4 * * 0", "2026-01-04 04:05", "2026-01-11 04:05")]
    [InlineData("0 0 1,15 * 1", "2026-01-05 00:00", "2026-01-12 00:00", "2026-01-15 00:00", "2026-01-19 00:00")]
    [InlineData("30 8 29 2 *", "2028-02-29 08:30", "2032-02-29 08:30")]
    [InlineData("*/20 9-10 31 */2 *", "2026-01-31 09:00", "2026-01-31 09:20", "2026-01-31 09:40", "2026-01-31 10:00")]
    public void After_GivesThePublishedTimes(string cron, params string[] expected)
    {
        var times = Parse(cron).After(start).Take(expected.Length).Select(time => time.ToString("yyyy-MM-dd HH:mm", null));
        Assert.Equal(expected, times);
    }

    [Fact]
    public void After_LeavesOutItsStart_AndEnds()
    {
        Assert.Equal(new DateTime(2026, 1, 2), Parse("0 0 * * *").After(start).First());
        Assert.Empty(Parse("0 0 30 2 *").After(start));
    }

    [Fact]
    public void After_EqualsThePlainEvaluator_OnDrawnSchedules()
    {
        for (int i = 0; i < 80; i++)
        {
            string cron = ScheduleData.Draw(seed: 11, i).Cron;
            var expected = PlainCron.Fires(cron, start, days: 60).Where(time => time > start).Take(40).ToArray();
            Assert.Equal(expected, Parse(cron).After(start).TakeWhile(time => time < start.AddDays(60)).Take(40));
        }
    }

    [Theory]
    [InlineData("30 8 * * 1-5", "at 08:30, Monday to Friday")]
    [InlineData("*/15 9-17 * * *", "every 15 minutes from 09:00 to 17:59")]
    [InlineData("0 9,12,18 * * 0,6", "at 09:00, 12:00 and 18:00, Saturday and Sunday")]
    [InlineData("0 8-20/2 * 6-8 *", "every 2 hours from 8 to 20, in June to August")]
    [InlineData("5 * 1,15 * *", "5 minutes past every hour, on day 1 and 15 of the month")]
    [InlineData("0 0 25 12 *", "at 00:00, on 25 December")]
    [InlineData("* * * * 0,5-6", "every minute, Friday to Sunday")]
    [InlineData("0 0 */2 */3 *", "at 00:00, every 2 days of the month, every 3 months")]
    public void Describe_SaysItInWords(string cron, string words) => Assert.Equal(words, Parse(cron).Describe());

    [Theory]
    [InlineData("30 8 * *", "4 fields")]
    [InlineData("60 8 * * *", "minute '60'")]
    [InlineData("0 8 0 * *", "day of the month '0'")]
    [InlineData("0 8 * 13 *", "month '13'")]
    [InlineData("0 8 * * 7", "day of the week '7'")]
    [InlineData("0 17-9 * * *", "hour '17-9'")]
    [InlineData("0 */0 * * *", "hour '*/0'")]
    [InlineData("5/2 8 * * *", "minute '5/2'")]
    [InlineData("a b c d e", "minute 'a'")]
    public void TryParse_SaysWhatIsWrong(string text, string part)
    {
        Assert.Null(Cron.TryParse(text, out string? problem));
        Assert.Contains(part, problem);
    }
}
