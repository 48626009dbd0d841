using System.Globalization;

namespace Ashlar.Tests.Quickstart;

/// <summary>What a cron expression means, in the plainest way: does this minute fit? It shares nothing with what it
/// judges.</summary>
static class PlainCron
{
    public static bool Fires(string cron, DateTime time)
    {
        string[] field = cron.Split(' ');
        bool ofMonth = Fits(field[2], time.Day, 1), ofWeek = Fits(field[4], (int)time.DayOfWeek, 0);
        bool day = field[2] != "*" && field[4] != "*" ? ofMonth || ofWeek : ofMonth && ofWeek;
        return Fits(field[0], time.Minute, 0) && Fits(field[1], time.Hour, 0) && day && Fits(field[3], time.Month, 1);
    }

    /// <summary>The fires of so many days, each hour and minute tried.</summary>
    public static IEnumerable<DateTime> Fires(string cron, DateTime from, int days)
    {
        string onDays = "* * " + string.Join(' ', cron.Split(' ')[2..]);
        DateTime[] times =
            [.. Enumerable.Range(0, 1440).Select(minute => from.Date.AddMinutes(minute)).Where(time => Fires(Daily(cron), time))];
        for (int day = 0; day < days; day++)
            if (Fires(onDays, from.Date.AddDays(day)))
                foreach (var time in times) yield return time.AddDays(day);
    }

    static string Daily(string cron) => string.Join(' ', cron.Split(' ')[..2]) + " * * *";

    static bool Fits(string field, int number, int first)
    {
        foreach (string item in field.Split(','))
        {
            string[] halves = item.Split('/');
            string[] ends = halves[0] == "*" ? [first.ToString(CultureInfo.InvariantCulture), "99"] : halves[0].Split('-');
            int low = int.Parse(ends[0], CultureInfo.InvariantCulture), high = int.Parse(ends[^1], CultureInfo.InvariantCulture);
            int step = halves.Length == 2 ? int.Parse(halves[1], CultureInfo.InvariantCulture) : 1;
            if (number >= low && number <= high && (number - low) % step == 0) return true;
        }
        return false;
    }
}
