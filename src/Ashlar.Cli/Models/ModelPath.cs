using System.CommandLine;

namespace Ashlar.Cli;

/// <summary>The argument that names a model which must be there.</summary>
static class ModelPath
{
    /// <summary>An argument for the path of a file or folder; one that does not exist is a wrong command line.</summary>
    /// <param name="name">What the help calls it.</param>
    /// <param name="description">What may be named.</param>
    public static Argument<string> Argument(string name, string description)
    {
        var path = new Argument<string>(name) { Description = description };
        path.Validators.Add(result =>
        {
            if (result.Tokens is not [{ Value: var value }] || Path.Exists(value)) return;
            string from = Path.IsPathFullyQualified(value) ? "" : $" in {Environment.CurrentDirectory}";
            result.AddError(
                $"there is no file or folder '{value}'{from}. What may be named: {char.ToLowerInvariant(description[0])}{description[1..]}");
        });
        return path;
    }
}
