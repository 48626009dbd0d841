namespace Ashlar.Runtime.Tuning;

/// <summary>Where Ashlar keeps what it measured, so that it is measured once: ASHLAR_CACHE, or the system's folder for
/// caches.</summary>
/// <remarks>Everything in it can be deleted at any time; it is measured or modelled again.</remarks>
public static class CacheFolder
{
    /// <summary>The folder; null where ASHLAR_CACHE is <c>off</c> or the system names none. It need not exist.</summary>
    public static string? Path => Of(AshlarEnvironment.Cache.Value,
        Environment.GetFolderPath(Environment.SpecialFolder.UserProfile),
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData));

    /// <summary>Why it is this folder, to be read after its name.</summary>
    public static string Why => AshlarEnvironment.Cache.Value is { } value
        ? $"{AshlarEnvironment.Cache.Name} {(IsOff(value) ? "turns it off" : "names it")}" : "the system's folder for caches";

    /// <summary>The folder for a value of ASHLAR_CACHE and what the system says.</summary>
    internal static string? Of(string? asked, string home, string localData)
    {
        if (asked is not null) return IsOff(asked) ? null : System.IO.Path.GetFullPath(asked);
        if (OperatingSystem.IsWindows())
            return localData.Length > 0 ? System.IO.Path.Combine(localData, "Ashlar", "Cache") : null;
        if (OperatingSystem.IsMacOS())
            return home.Length > 0 ? System.IO.Path.Combine(home, "Library", "Caches", "ashlar") : null;
        return home.Length > 0 ? System.IO.Path.Combine(home, ".cache", "ashlar") : null;
    }

    static bool IsOff(string value) => value.Equals("off", StringComparison.OrdinalIgnoreCase);
}
