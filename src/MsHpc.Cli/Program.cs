using System.CommandLine;
using MsHpc.Cli;

return Commands.Run(args);
