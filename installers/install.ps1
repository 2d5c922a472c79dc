# Installs Alcove for the current user: an environment of its own and a Start menu entry.
#   powershell -ExecutionPolicy Bypass -File installers\install.ps1 [-Folder PATH]
# Uninstall: remove the folder and the Start menu entry. Workspaces are not touched by either.
# hnswlib is built from source: the Microsoft C++ Build Tools are needed once.
param([string]$Folder = (Join-Path $env:LOCALAPPDATA "AlcoveProgram"))
$ErrorActionPreference = "Stop"
$Source = Split-Path -Parent $PSScriptRoot

function Test-Python([string[]]$Command) {
    $Rest = @($Command | Select-Object -Skip 1)
    try {
        & $Command[0] @Rest -c "import sys, venv; sys.exit(sys.version_info < (3, 11))" 2>$null
        return $LASTEXITCODE -eq 0
    } catch {
        return $false
    }
}

$Python = $null
foreach ($Candidate in @(@("py", "-3.11"), @("py", "-3"), @("python"))) {
    if (Test-Python $Candidate) { $Python = $Candidate; break }
}
if ($null -eq $Python) {
    Write-Error "Python 3.11 or newer is needed; install it and run this again."
}

$EnvironmentPython = Join-Path $Folder "Scripts\python.exe"
if (-not (Test-Path $EnvironmentPython)) {
    $Rest = @($Python | Select-Object -Skip 1)
    & $Python[0] @Rest -m venv $Folder
    if ($LASTEXITCODE -ne 0) { Write-Error "The environment could not be made in $Folder." }
}
Write-Host "Installing Alcove into $Folder (some minutes)"
& $EnvironmentPython -m pip install --quiet --disable-pip-version-check --upgrade `
    --constraint (Join-Path $Source "constraints.txt") "$Source[trainer]"
if ($LASTEXITCODE -ne 0) { Write-Error "pip could not install everything; its message is above." }

$Menu = Join-Path ([Environment]::GetFolderPath("Programs")) "Alcove.lnk"
$Shortcut = (New-Object -ComObject WScript.Shell).CreateShortcut($Menu)
$Shortcut.TargetPath = Join-Path $Folder "Scripts\pythonw.exe"
$Shortcut.Arguments = "-m main gui"
$Shortcut.WorkingDirectory = [Environment]::GetFolderPath("MyDocuments")
$Shortcut.Description = "Map product listings to a catalogue"
$Shortcut.Save()

& (Join-Path $Folder "Scripts\alcove.exe") --version
Write-Host "Installed. Alcove is in the Start menu; the command is $(Join-Path $Folder 'Scripts\alcove.exe')."
